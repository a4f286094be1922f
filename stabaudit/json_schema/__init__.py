"""The JSON that commands write: records, documents and their JSON Schema."""
