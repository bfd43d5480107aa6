"""The register in the desk: definitions proposed and signed by people of two departments, and goals of each stage."""
