"""The plot: which version was written when, who let it through, and what went wrong once."""

from dataclasses import dataclass

from apps.costs.models import Meter
from apps.prompts.models import Approval
from llmops_site.demo.content.prompts import (
    CLASSIFY,
    CLAUDE,
    EXTRACT,
    LARGE,
    PROMPTS,
    REPLY,
    SHARED,
    SMALL,
    SUBJECT,
    SUMMARISE,
    PromptText,
)
from llmops_site.demo.story import Story

FIRST_DAY = 89
WAITING = (REPLY.name, 8)
TOGETHER = ((SUMMARISE.name, 4), (CLASSIFY.name, 5))
LATER = (EXTRACT.name, 3)
ANA_RATED, AMIR_RATED = 12, 7
PRICE_CHANGE_DAY = 45
KEPT_DAYS, REUSED_HOURS = 120, 24 * 7


@dataclass(frozen=True)
class Promotion:
    """A request that went through: the day it was asked, and how many days until it was live."""

    text: PromptText
    number: int
    day: int
    took: int
    title: str
    why: str
    verdict: str


PROMOTIONS = [
    Promotion(REPLY, 1, 87, 1, "Start with what we had", "The text from the old tool, word for word, so that we have something to measure against.", "Fine as a beginning."),
    Promotion(SUMMARISE, 1, 83, 1, "Summaries for the evening shift", "They read forty tickets before they can begin. A few lines each would do.", "Good idea."),
    Promotion(CLASSIFY, 1, 80, 1, "Sort tickets into queues", "Half of the tickets wait in the wrong queue for an hour.", "Better than by hand. Let us look at the mistakes in two weeks."),
    Promotion(REPLY, 2, 75, 2, "Sound like us", "Customers ask whether they write with a machine.", "Nicer to read. The order number is still missing here and there."),
    Promotion(EXTRACT, 1, 69, 1, "Fill in the order form", "The fields go straight into the order system, so nobody types them again.", "All eighteen fit the schema."),
    Promotion(REPLY, 3, 62, 2, "Name and order number in every answer", "One in ten answers names neither, and people write again to ask.", "The tests say the same. Approved."),
    Promotion(CLASSIFY, 2, 56, 2, "Tell the model what the labels mean", "Address changes end up in billing. With a line for each label they do not.", "A clear step."),
    Promotion(REPLY, 4, 49, 2, "Apologise, and say what happens next", "The survey says that people want to know when they will hear from us.", "Approved. Finance has a remark about refunds, please talk to Fay."),
    Promotion(SUBJECT, 2, 44, 1, "Subject lines that fit on a phone", "Anything longer is cut off after forty characters.", "Short is good."),
    Promotion(SUMMARISE, 2, 39, 1, "Two sentences, always with the order", "The long ones are copied tickets, not summaries.", "Much better for the evening."),
    Promotion(REPLY, 5, 35, 2, "Stop promising refunds", "Eleven promises in one week that nobody had approved. Finance asked us to stop this.", "Not one refund in sixty-four answers. Approved."),
    Promotion(CLASSIFY, 3, 28, 2, "Classify on the large model", "Costs more, but a ticket in the wrong queue costs more still.", "Worth it at this volume? I approve for a month, then we look at the spend."),
    Promotion(EXTRACT, 2, 25, 1, "Never guess a field", "Two wrong order numbers last week were made up.", "Yes please."),
    Promotion(REPLY, 6, 21, 2, "Short and formal", "Half the length would halve what we pay, and every test passes.", "The tests are perfect. I am not sure about the tone, let us watch the survey."),
]  # fmt: skip
WRITTEN = {
    REPLY.name: {2: 76, 3: 63, 4: 50, 5: 36, 6: 22, 7: 11, 8: 2},
    SUMMARISE.name: {2: 40, 3: 7, 4: 3},
    CLASSIFY.name: {2: 57, 3: 29, 4: 6, 5: 3},
    EXTRACT.name: {2: 26, 3: 1},
    SUBJECT.name: {2: 45},
}
FOUNDED = {REPLY.name: 88, SUMMARISE.name: 84, CLASSIFY.name: 81, EXTRACT.name: 70, SUBJECT.name: 66}


TOGETHER_WHY = (
    "The summary names a queue and the classifier chooses one. If they go live apart, the evening shift reads one thing "
    "and the ticket stands in another, so both go live, or back, as one."
)
LATER_WHY = "No answer was ever longer than 90 tokens. At eight, before the shift begins, nobody waits for it."


def outline(story: Story) -> None:
    """Note everything that happened, from the first prompt to yesterday evening."""
    for text in PROMPTS:
        # Written in one sitting each, at an hour of their own, so that nobody is at two desks at once.
        story.at(FOUNDED[text.name], 9.5, story.found, text)
        for number, day in WRITTEN[text.name].items():
            story.at(day, 10.0, story.write, text, number, (text.name, number) != LATER)
    story.at(8, 14.0, story.share, SHARED)
    story.at(3, 14.0, story.write, SHARED, 2)
    for promotion in PROMOTIONS:
        _promotion(story, promotion)
    _prices(story)
    _lessons(story)
    _present(story)


def _promotion(story: Story, told: Promotion) -> None:
    name, number = told.text.name, told.number
    story.at(told.day, 11.0, story.propose, name, number, told.title, told.why)
    story.at(told.day, 14.0, story.rate, name, number, "ana")
    story.at(told.day, 16.0, story.rate, name, number, "amir")
    story.at(told.day - told.took, 9.5, story.review, name, number, told.verdict)
    story.at(told.day - told.took, 10.25, story.promote, name, number, told.title)


def _prices(story: Story) -> None:
    cheaper = {Meter.INPUT: "2.00", Meter.CACHE_READ: "1.00", Meter.OUTPUT: "8"}
    dearer = {Meter.INPUT: "0.18", Meter.CACHE_READ: "0.09", Meter.OUTPUT: "0.72"}
    story.at(PRICE_CHANGE_DAY, 0.0, story.new_price, "practice-large", cheaper, "Practice provider, new list")
    story.at(PRICE_CHANGE_DAY, 0.1, story.new_price, SMALL, dearer, "Practice provider, new list")


def _lessons(story: Story) -> None:
    """What went wrong: a version that passed every test and was taken back, and one that never went live."""
    reply = REPLY.name
    story.at(41, 11.0, story.use_answers_again, KEPT_DAYS, REUSED_HOURS)
    story.at(30, 15.0, story.compare_models, reply, 5)
    reason = "Customers call the formal answers cold: satisfaction fell from 4.6 to 3.9 in two days. Back to version 5."
    story.at(17, 8.5, story.roll_back, reply, reason)
    story.at(
        11,
        11.5,
        story.propose,
        reply,
        7,
        "Warm again, in 35 words",
        "The tone of version 5 at the length of version 6.",
    )
    refusal = "At 35 words it no longer says what happens next, and it asks a question of people who only say thanks."
    story.at(10, 9.0, story.review, reply, 7, refusal, Approval.Decision.REQUEST_CHANGES)
    story.at(
        10, 9.5, story.remark, reply, 7, "paula", "You are right. I will give it more room and ask only one question."
    )
    story.at(9, 16.0, story.withdraw, reply, 7)


def _present(story: Story) -> None:
    """What the visitor finds: a better version that waits for the last ratings and for an approval."""
    name, number = WAITING
    why = (
        "Version 5 still rambles in one answer of ten and quotes our policy now and then. This one keeps its tone, "
        "stays under 90 words and asks one question, so that people need not write twice."
    )
    story.at(2, 15.0, story.compare_models, name, number, reuse=True)
    story.at(2, 15.5, story.compare_models, name, number, CLAUDE, LARGE, reuse=True)
    story.at(1, 9.5, story.propose, name, number, "Warm, under 90 words, with one question", why)
    story.at(1, 10.5, story.remark, name, number, "ravi", "Promising. I wait for the raters before I decide.")
    story.at(1, 13.5, story.rate, name, number, "ana", ANA_RATED)
    story.at(
        1,
        11.0,
        story.point_at,
        name,
        number,
        "ravi",
        "quote our policy",
        "@Paula Figueira is this the sentence that stops the policy quotes?",
    )
    story.at(
        1, 11.5, story.answer, name, number, "paula", "Yes. Without it, two of the sixty-four answers cite a paragraph."
    )
    story.at(1, 12.0, story.propose_together, TOGETHER, "Queue and summary say the same", TOGETHER_WHY)
    story.at(1, 12.5, story.propose_for_later, LATER, "staging", "Half the room for extracted fields", LATER_WHY)
    story.at(1, 15.0, story.begin_draft, SUMMARISE)
    story.at(1, 17.0, story.rate, name, number, "amir", AMIR_RATED)
