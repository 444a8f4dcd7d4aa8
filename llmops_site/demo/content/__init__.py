"""What the people of Papermoon wrote: customers' messages, prompts, what the tests ask."""
