"""One file per node: declare, wire, convert, publish. Nothing else lives here."""
