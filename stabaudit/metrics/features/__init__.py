"""Features of dictionaries (of sparse autoencoders, say) held against each other, in tiles that fit into memory."""
