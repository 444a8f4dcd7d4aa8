"""A model provider to practise on: it speaks the OpenAI and Anthropic wire formats on loopback, offline and repeatably."""
