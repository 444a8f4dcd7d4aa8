"""What people are told, in words: what they may want to have by e-mail as well, or in the inbox alone."""

KINDS = {
    "review_wanted": "Somebody asks for your review",
    "reviewed": "Your change request is approved, questioned or rejected",
    "comment": "Somebody comments on your change request",
    "promoted": "Your change request is promoted",
    "deployed": "What is live in the last environment changes",
    "ratings_wanted": "Answers wait for your rating",
    "budget": "A budget runs low or is used up",
    "prices": "Prices wait for approval, or the past is priced anew",
    "books": "The books do not agree",
    "webhook": "A webhook takes nothing",
}
