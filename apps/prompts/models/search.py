import re

import pgtrigger
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.expressions import RawSQL

# Inside words these would make addresses, paths and numbers of them; here they part words.
JOINTS = "./-_:@#&=?+~,*"
_APART = re.compile(r"[\s!-/:-@\[-`{-~]+")
_MAX_WORDS = 12


def _apart(text: str) -> str:
    """Return SQL for a text whose words stand alone."""
    return f"translate({text}, '{JOINTS}', '{' ' * len(JOINTS)}')"


NAMES = f"""
BEGIN
    INSERT INTO prompts_promptwords AS kept (prompt_id, names, texts, words)
    SELECT NEW.id, fresh.names, ''::tsvector, fresh.names FROM (
        SELECT to_tsvector('simple', {_apart("concat_ws(' ', NEW.name, NEW.description, array_to_string(NEW.tags, ' '))")}) AS names
    ) fresh
    ON CONFLICT (prompt_id) DO UPDATE SET names = EXCLUDED.names, words = EXCLUDED.names || kept.texts;
    RETURN NULL;
END;
"""  # noqa: S608 (no value of a person stands in it)

# Of each version what it says, without places: the words of all versions together. A text of unlimited different
# words would outgrow what the database can index, so the first 200,000 characters count, and 400 kB of words.
TEXTS = f"""
BEGIN
    UPDATE prompts_promptwords AS kept
    SET texts = fresh.texts, words = kept.names || fresh.texts
    FROM (
        SELECT strip(was.texts || to_tsvector('simple', {_apart("left(said.words, 200000)")})) AS texts
        FROM prompts_promptwords was, (
            SELECT string_agg(part #>> '{{}}', ' ') AS words FROM (
                SELECT jsonb_path_query(NEW.messages, '$[*].content') AS part
                UNION ALL SELECT jsonb_path_query(NEW.examples, '$[*].*')
            ) parts
        ) said
        WHERE was.prompt_id = NEW.prompt_id
    ) fresh
    WHERE kept.prompt_id = NEW.prompt_id AND fresh.texts IS NOT NULL AND pg_column_size(fresh.texts) < 400000;
    RETURN NULL;
END;
"""  # noqa: S608 (no value of a person stands in it)


class PromptWords(models.Model):
    """The words by which a prompt is found: of its name, description and tags, and of all its versions. By triggers."""

    prompt = models.OneToOneField("prompts.Prompt", on_delete=models.CASCADE, primary_key=True, related_name="+")
    names = SearchVectorField()
    texts = SearchVectorField()
    words = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["words"], name="prompt_by_words")]

    def __str__(self) -> str:
        return f"words of prompt {self.prompt_id}"


def keeps_names() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(
        name="keeps_names",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("name", "description", "tags"),  # type: ignore[no-untyped-call]
        func=NAMES,
    )


def keeps_texts() -> pgtrigger.Trigger:
    return pgtrigger.Trigger(name="keeps_texts", when=pgtrigger.After, operation=pgtrigger.Insert, func=TEXTS)


def prompts_saying(query: str) -> RawSQL | None:
    """Return the ids of prompts that hold every word of `query`, each perhaps only begun; None for no word at all."""
    words = [word for word in _APART.split(query.replace("\x00", " ")) if word][:_MAX_WORDS]
    if not words:
        return None
    asked = " & ".join(f"'{word}':*" for word in words)
    return RawSQL("SELECT prompt_id FROM prompts_promptwords WHERE words @@ to_tsquery('simple', %s)", [asked])
