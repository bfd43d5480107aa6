"""The desk in the browser: pages, people and what they may see. The only place that imports Django."""
