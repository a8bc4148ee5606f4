"""An operator's file: YAML, references and names, as a valid value."""
