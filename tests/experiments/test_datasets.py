import pytest

from apps.accounts.models import AuditEvent
from apps.core.errors import Conflict, DomainError
from apps.experiments import actions, importing
from apps.experiments.importing import BadImport, NewCase
from apps.experiments.models import Case


def test_adding_cases_makes_the_next_version(dataset, paula):
    actions.add_cases(dataset=dataset, cases=[NewCase(inputs={"message": "?"})], acting_user=paula)
    dataset.refresh_from_db()
    assert dataset.version == 2
    assert (dataset.cases.in_version(1).count(), dataset.cases.in_version(2).count()) == (10, 11)


def test_an_edited_case_keeps_its_key_and_what_it_was(dataset, paula):
    case = dataset.cases.in_order().first()
    revision = actions.edit_case(case=case, new=NewCase(name="Better", inputs={"message": "!"}), acting_user=paula)
    assert revision.key == case.key
    assert dataset.cases.in_version(1).get(key=case.key).name == "Case 1"
    assert dataset.cases.in_version(2).get(key=case.key).name == "Better"


def test_a_case_cannot_be_edited_twice_from_the_same_revision(dataset, paula):
    case = dataset.cases.in_order().first()
    actions.edit_case(case=case, new=NewCase(inputs={"message": "!"}), acting_user=paula)
    with pytest.raises(Conflict):
        actions.edit_case(case=case, new=NewCase(inputs={"message": "?"}), acting_user=paula)


def test_a_removed_case_stays_in_the_versions_before(dataset, paula):
    actions.remove_case(case=dataset.cases.in_order().first(), acting_user=paula)
    assert (dataset.cases.in_version(1).count(), dataset.cases.in_version(2).count()) == (10, 9)


def test_two_datasets_cannot_share_a_name(dataset, workspace, paula):
    with pytest.raises(DomainError, match="already a dataset"):
        actions.create_dataset(workspace=workspace, name=" Questions ", acting_user=paula)


def test_a_dataset_in_use_is_not_archived(suite, paula):
    with pytest.raises(DomainError, match="Basics uses this dataset"):
        actions.archive_dataset(dataset=suite.dataset, acting_user=paula)


def test_the_record_holds_no_text_of_cases(dataset, paula):
    actions.add_cases(dataset=dataset, cases=[NewCase(inputs={"message": "a secret"})], acting_user=paula)
    assert "a secret" not in str(list(AuditEvent.objects.values_list("after", "before", "target_name")))


def test_csv_columns_are_inputs_but_for_ours():
    [case] = importing.parse('message,expected,tags,name\n"Where, then?",soon,"a, b",First\n')
    assert case == NewCase(inputs={"message": "Where, then?"}, name="First", expected="soon", tags=["a", "b"])


def test_jsonl_takes_flat_objects_and_inputs():
    one, two = importing.parse('{"message": "a", "n": 3}\n\n{"inputs": {"message": "b"}, "expected": {"x": 1}}')
    assert (one.inputs, two.inputs, two.expected) == ({"message": "a", "n": 3}, {"message": "b"}, '{"x": 1}')


def test_every_bad_line_is_named_and_nothing_is_imported(dataset, paula):
    content = '{"message": "good"}\n{"message": \n[1]\n{"inputs": 3}\n{"message": "a\\u0000b"}'
    with pytest.raises(BadImport) as refused:
        actions.import_cases(dataset=dataset, content=content, acting_user=paula)
    assert set(refused.value.details["problems"]) == {2, 3, 4, 5}
    assert Case.objects.count() == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("name,expected\na,b\n", "no column with an input"),
        ("a,a\n1,2\n", "same name"),
        ("a,\n1,2\n", "no name"),
        ("a,b\n1\n", "Line 2: 1 cells, but the header has 2"),
        ('a,b\n"1,2\n', "not CSV"),
        ("message\n", "no case"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(content, words):
    with pytest.raises(BadImport, match=words):
        importing.parse(content)


def test_a_byte_order_mark_is_not_part_of_the_first_name():
    assert importing.parse("\ufeffmessage\nhi\n")[0].inputs == {"message": "hi"}


def test_a_number_that_json_cannot_hold_is_refused():
    with pytest.raises(BadImport, match="cannot hold"):
        importing.parse('{"message": NaN}')


def test_an_array_of_cases_is_taken():
    one, two = importing.parse('[\n {"message": "a"},\n {"inputs": {"message": "b"}, "tags": ["x"]}\n]')
    assert (one.inputs, two.inputs, two.tags) == ({"message": "a"}, {"message": "b"}, ["x"])


def test_a_bad_case_of_an_array_is_named_by_its_number():
    with pytest.raises(BadImport, match=r"Nothing was imported. Case 2: a case is an object"):
        importing.parse('[{"message": "a"}, 3]')


def test_an_array_that_is_cut_off_names_its_line():
    with pytest.raises(BadImport) as refused:
        importing.parse('[\n{"message": "a"},\n')
    assert refused.value.message == "Nothing was imported. Line 3: this is not a JSON array (expecting value)."


def test_a_bad_line_is_named_by_one_position():
    with pytest.raises(BadImport) as refused:
        importing.parse('{"message": "good"}\n{"message": \n')
    assert refused.value.message == "Nothing was imported. Line 2: this is not JSON (expecting value)."
