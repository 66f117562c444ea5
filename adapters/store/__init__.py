"""What is remembered: `sql.SqlStore` on a database, `memory.MemoryStore` its twin; the contract is core.ports.Store."""
