"""The workflow, platform-neutral and pure: no I/O, no clock, no asyncio. See docs/architecture.md."""
