"""Text of TensorRT's logs, inspectors and exports to frozen records; no files, no tables, no GPU."""
