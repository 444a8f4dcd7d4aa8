"""What people are told, in words: what they may want to have by e-mail as well, or in the inbox alone."""

GROUPS = {
    "Change requests": {
        "review_wanted": "Somebody asks for your review",
        "mention": "Somebody names you in a comment",
        "comment": "Somebody comments where you take part",
        "reviewed": "Your change request is approved, questioned or rejected",
        "changed": "Somebody changes what your request asks for",
        "failure_accepted": "A failed check of your change request is accepted",
        "conflict": "Another change overtakes yours",
        "ready": "A change request that you may promote is ready",
        "scheduled": "Your change request gets a time",
        "schedule_failed": "A scheduled change could not be promoted",
        "promoted": "Your change request is promoted",
    },
    "What is live": {
        "deployed": "What is live changes, where the policy asks for anything",
        "emergency": "Somebody promotes in an emergency, past the policy",
        "looked_back": "Your emergency was looked at afterwards",
        "look_back_overdue": "An emergency still waits for a second look",
    },
    "Answers": {
        "ratings_wanted": "Answers wait for your rating",
    },
    "Money": {
        "spend_approval_wanted": "A change would raise what a month costs",
        "spend_decided": "The cost of your change request is approved or refused",
        "budget": "A budget runs low or is used up",
        "prices": "Prices wait for approval, or the past is priced anew",
        "books": "The books do not agree",
    },
    "This desk": {
        "webhook": "A webhook takes nothing",
    },
}
KINDS = {kind: words for group in GROUPS.values() for kind, words in group.items()}
