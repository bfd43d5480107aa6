"""Pull connectors: what other systems hold, fetched from them as tables without anybody exporting files."""
