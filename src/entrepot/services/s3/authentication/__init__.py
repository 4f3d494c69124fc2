"""Where credentials come from, how requests are signed with them, and what a refusal of them leads to."""
