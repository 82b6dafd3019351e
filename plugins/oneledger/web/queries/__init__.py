"""What the pages ask of a published version, a module a place: SQL, and the shapes of the answers."""
