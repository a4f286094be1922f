"""Figures: numbers → a typed description of what is drawn, and two ways to draw it, SVG and (for PNG and PDF) matplotlib."""
