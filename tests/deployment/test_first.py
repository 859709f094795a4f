"""A machine with one plain site becomes a blue-green pair; what fails leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from arr_bluegreen.control.interface import MachineFacts, ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.description import Gate, WarmUp
from arr_bluegreen.deployment.first import plan_first, unmake
from arr_bluegreen.deployment.first_proof import Measure
from arr_bluegreen.deployment.first_run import clear_first, restore_rules, run_first
from arr_bluegreen.deployment.front_rule import front_rules, rule_position
from arr_bluegreen.deployment.ownership import Owned, read_owned
from arr_bluegreen.errors import NoSuchObject, OldSlotServesError, RefusedError, UnfinishedError, UnreachableError
from arr_bluegreen.webfarm import Action, Binding, Condition, Match, Position, Rule, RuleList, Where
from arr_bluegreen.webfarm.change import AddFarm, AddRule, ConfigChange, RemoveRule, SetServer, settings

from .machine import Scene, first_wish, plain_config
from .words import NOW, Words, pair, site


def front(*bindings: tuple[str, str]) -> Words:
    """One site with these public bindings, and another one."""
    public = replace(site("Front", 1, 80), bindings=tuple(Binding(*one) for one in bindings))
    other = replace(site("Other", 2, 80), bindings=(Binding("http", "*:80:other.example"), Binding("http", "*:81:")))
    return Words(sites=(public, other))


def rules_of(*bindings: tuple[str, str]) -> tuple[Rule, ...]:
    """The rules for a site with these bindings."""
    words = front(*bindings)
    return front_rules("shop", words.sites[0], words)


def test_a_plain_site_becomes_a_pair_under_load_and_none_is_lost() -> None:
    """The site itself stays as it was, byte for byte."""
    scene = Scene()
    before = scene.config.site("Front")
    traffic = scene.traffic()
    run_first(first_wish(), scene.hands())
    scene.clock.sleep(10)
    traffic.stop()
    scene.clock.sleep(10)
    assert traffic.lost == []
    assert scene.config.site("Front") == before
    farm = scene.config.farm("shop")
    assert [(one.address, one.enabled, one.http_port) for one in farm.servers] == [
        ("127.0.0.2", True, 8001),
        ("127.0.0.3", False, 8002),
    ]
    status = scene.machine.farm("shop", ("Front",)).status()
    assert (status.server("127.0.0.2").total_requests or 0) > 50
    assert [one.name for one in scene.config.rule_lists[0].rules] == ["Block trace", "arr-bluegreen shop http 80"]
    assert {one.slot for one in read_owned(scene.records).instances} == {"blue", "green"}


def test_the_way_back_gives_the_very_file_back() -> None:
    """Rules first, then the farm, sites, pools and location blocks: what is left is what was there."""
    scene = Scene()
    plan = run_first(first_wish(), scene.hands())
    scene.machine.config.apply(plan.back)
    scene.clock.sleep(2)
    scene.machine.config.apply(unmake("shop", plan.instances, scene.machine.config.read()))
    assert scene.host.config.data() == plain_config()


def test_a_slot_that_is_not_good_is_cleared_away_and_the_site_serves() -> None:
    """Exit code 7; no site, pool, farm, rule, port or record stays."""
    scene = Scene()
    traffic = scene.traffic()
    wish = first_wish()
    hands = scene.hands(version_url="/nothing-here", status="201-202")
    with pytest.raises(OldSlotServesError, match="not good"):
        run_first(wish, hands)
    scene.clock.sleep(3)
    traffic.stop()
    scene.clock.sleep(5)
    assert scene.host.config.data() == plain_config()
    assert read_owned(scene.records) == Owned(highest_site_id=3)
    assert traffic.lost == []


def test_a_crash_at_every_call_can_be_gone_on_from() -> None:
    """Killed after any control call, the next run completes it; the site serves all the while."""
    calls = 0
    reached = True
    while reached:
        scene = Scene()
        traffic = scene.traffic()
        begun = len(scene.machine.journal)

        def kill(number: int, name: str, at: int = begun + calls) -> None:
            if number == at:
                raise KeyboardInterrupt

        scene.machine.after_call = kill
        try:
            run_first(first_wish(), scene.hands())
            reached = False
        except KeyboardInterrupt:
            scene.machine.after_call = None
            _named(scene)
            run_first(first_wish(), scene.hands())
        traffic.stop()
        scene.clock.sleep(5)
        assert traffic.lost == []
        assert scene.config.farm("shop").servers[0].enabled
        assert len(scene.config.rule_lists[0].rules) == 2
        calls += 1
    assert calls > 15


def _named(scene: Scene) -> None:
    """Whatever was made so far, a record names it."""
    known = {one.site for one in read_owned(scene.records).instances} | {"Front"}
    assert {one.name for one in scene.config.sites} <= known


def test_a_lost_connection_clears_away_what_was_made() -> None:
    """The reply to the first commit is lost, though it was made."""
    scene = Scene()
    lost = [True]

    def lose(number: int, name: str) -> None:
        if name == "config.apply" and lost:
            lost.clear()
            raise UnreachableError("the connection broke", maybe_done=True)

    scene.machine.after_call = lose
    with pytest.raises(OldSlotServesError):
        run_first(first_wish(), scene.hands())
    assert scene.host.config.data() == plain_config()


def fails(scene: Scene, count: int, *, after: bool = False, always: bool = False) -> None:
    """The count-th commit does not come through (``after``: it does, its reply is lost); ``always``: none from then."""
    commits = [0]

    def hook(number: int, name: str) -> None:
        commits[0] += name == "config.apply"
        if name == "config.apply" and (commits[0] == count or (always and commits[0] > count)):
            raise UnreachableError("the connection broke", maybe_done=after)

    scene.machine.before_call, scene.machine.after_call = (None, hook) if after else (hook, None)


def test_a_switch_that_was_not_written_is_unfinished_and_goes_on() -> None:
    """Exit code 5: farm and slots are there, and the commands that make sense are named; run again, it completes."""
    scene = Scene()
    fails(scene, 3)
    with pytest.raises(UnfinishedError) as told:
        run_first(first_wish(), scene.hands())
    assert "deploy run" in told.value.hint
    assert "deploy abort" in told.value.hint
    assert not read_owned(scene.records).first_done
    scene.machine.before_call = None
    run_first(first_wish(), scene.hands())
    assert read_owned(scene.records).first_done


def test_a_switch_whose_reply_was_lost_is_looked_for() -> None:
    """The rules are there, so they were written: proven, and done."""
    scene = Scene()
    fails(scene, 3, after=True)
    run_first(first_wish(), scene.hands())
    assert read_owned(scene.records).first_done


@pytest.mark.parametrize("count", [1, 2, 3])
def test_what_can_neither_be_made_nor_cleared_away_is_unfinished(count: int) -> None:
    """From this commit on the machine takes none: exit code 5, since something may be left; abort clears it away."""
    scene = Scene()
    fails(scene, count, always=True)
    with pytest.raises(UnfinishedError):
        run_first(first_wish(), scene.hands())
    scene.machine.before_call = None
    clear_first(first_wish(), scene.hands())
    assert scene.host.config.data() == plain_config()


def test_what_serves_is_not_stopped_before_its_rules_are_gone() -> None:
    """Cleared away with its rules in place, nobody loses a request."""
    scene = Scene()
    run_first(first_wish(), scene.hands())
    traffic = scene.traffic()
    scene.clock.sleep(2)
    clear_first(first_wish(), scene.hands())
    scene.clock.sleep(3)
    traffic.stop()
    scene.clock.sleep(5)
    assert traffic.lost == []
    assert scene.host.config.data() == plain_config()


def test_the_gate_and_warm_up_of_the_description_are_the_measure() -> None:
    """A status that only the description calls good; a warm-up page that is not there keeps the traffic away."""
    scene = Scene()
    scene.content(r"C:\inetpub\front", "1", broken=True)
    soon = timedelta(seconds=5)
    measure = Measure(Gate(status="200", within=soon), WarmUp(paths=("/",), within=soon))
    with pytest.raises(OldSlotServesError, match="not warm"):
        run_first(first_wish(), replace(scene.hands(), measure=measure))
    good = Scene()
    gate = Gate(version_header="X-App-Version", within=soon)
    with pytest.raises(OldSlotServesError, match="answers version 1, not 7"):
        run_first(first_wish(), replace(good.hands(), measure=Measure(gate, WarmUp(), "7")))
    run_first(first_wish(), replace(good.hands(), measure=Measure(gate, WarmUp(), "1")))


class Answers:
    """A probe that answers as told."""

    def __init__(self, answer: Callable[[ProbeRequest], ProbeAnswer]) -> None:
        self._answer = answer

    def ask(self, requests: Sequence[ProbeRequest]) -> tuple[ProbeAnswer, ...]:
        """One for each."""
        return tuple(self._answer(one) for one in requests)


def test_a_redirect_that_would_loop_keeps_the_traffic_away() -> None:
    """The site's own rule to https is cloned; a slot sees plain http whatever the client used (arr.md 5.9)."""
    text = plain_config().decode()
    rule = (
        '<rewrite><rules><rule name="to https" stopProcessing="true"><match url=".*" /><conditions>'
        '<add input="{HTTPS}" pattern="^OFF$" /></conditions>'
        '<action type="Redirect" url="https://{HTTP_HOST}/{R:0}" /></rule></rules></rewrite>'
    )
    text = text.replace('<httpLogging dontLog="false" />', f'<httpLogging dontLog="false" />{rule}')
    http = '<binding protocol="http" bindingInformation="*:80:" />'
    assert http in text
    text = text.replace(http, http + http.replace('"http"', '"https"').replace(":80:", ":443:"))
    scene = Scene(text.encode())
    plan = plan_first(first_wish(), scene.config, Owned(), None, NOW)
    assert any("'to https'" in one and "HTTP_X_FORWARDED_PROTO" in one for one in plan.explain)
    away = ProbeAnswer(301, (("Location", "https://localhost/"),))
    told = Answers(lambda one: ProbeAnswer(200) if one.url.startswith("https") else away)
    scene.machine.probe = told  # type: ignore[assignment]  # it asks all the same
    with pytest.raises(OldSlotServesError, match=r"https://localhost:443: status 301, a redirect to https://localhost/"):
        run_first(first_wish(), scene.hands())
    assert scene.host.config.data() == text.encode()


def test_a_redirect_that_the_site_made_too_is_good() -> None:
    """An application that sends http clients to https by what it is told of them goes on doing so."""
    scene = Scene()
    away = ProbeAnswer(302, (("Location", "https://localhost/"),))
    scene.machine.probe = Answers(lambda one: away)  # type: ignore[assignment]  # it asks all the same
    with pytest.raises(OldSlotServesError, match="counts no request"):  # all is well but that nobody asks ARR here
        run_first(first_wish(), scene.hands())


def test_rules_that_match_nothing_are_not_taken_for_a_switch() -> None:
    """The site answers as well as ever, and ARR counts no request: they are taken away again."""
    scene = Scene()
    real, edit = scene.machine.edit, [True]

    def misplaced(data: bytes, changes: Sequence[ConfigChange]) -> tuple[bytes, tuple[ConfigChange, ...]]:
        never = Condition("{HTTP_HOST}", "^never$")
        return real(
            data,
            [
                replace(one, rule=replace(one.rule, conditions=(never,))) if isinstance(one, AddRule) and edit else one
                for one in changes
            ],
        )

    scene.machine.edit = misplaced
    with pytest.raises(OldSlotServesError, match="ARR counts no request"):
        run_first(first_wish(), scene.hands())
    assert len(scene.config.rule_lists[0].rules) == 1


def test_rules_taken_away_are_put_back_to_what_serves_and_nothing_else_is_done() -> None:
    """The slot now live keeps its traffic; without one it is refused."""
    scene = Scene()
    run_first(first_wish(), scene.hands())
    whole = scene.host.config.data()
    scene.machine.config.apply([RemoveRule("arr-bluegreen shop http 80")])
    assert [type(one) for one in restore_rules(first_wish(), scene.hands())] == [AddRule]
    assert scene.host.config.data() == whole
    assert restore_rules(first_wish(), scene.hands()) == ()
    scene.machine.config.apply(
        [RemoveRule("arr-bluegreen shop http 80"), SetServer("shop", "127.0.0.2", settings(enabled=False))]
    )
    with pytest.raises(RefusedError, match="no server of it is in service"):
        restore_rules(first_wish(), scene.hands())


def test_every_public_binding_has_its_own_rule() -> None:
    """Host, port, scheme and address are conditions; the forwarded protocol is what the client used."""
    plain, secure, own = rules_of(
        ("http", "*:80:www.shop.example"),
        ("http", "*:80:shop.example"),
        ("https", "*:443:*.shop.example"),
        ("http", "10.0.0.5:8080:"),
        ("net.tcp", "808:*"),
    )
    assert plain.conditions == (
        Condition("{SERVER_PORT}", "^80$"),
        Condition("{HTTPS}", "^OFF$"),
        Condition("{HTTP_HOST}", r"^(www\.shop\.example|shop\.example)(:\d+)?$"),
    )
    assert secure.conditions[1:] == (
        Condition("{HTTPS}", "^ON$"),
        Condition("{HTTP_HOST}", r"^([^.:]+\.shop\.example)(:\d+)?$"),
    )
    assert own.conditions[2] == Condition("{LOCAL_ADDR}", r"^10\.0\.0\.5$")
    assert [one.server_variables[0].value for one in (plain, secure, own)] == ["http", "https", "http"]
    assert all(one.stop_processing and one.action.url == "http://shop/{R:0}" for one in (plain, secure, own))


def test_a_binding_for_any_host_leaves_other_sites_their_hosts() -> None:
    """Another site's host on the same port is excepted."""
    (rule,) = rules_of(("http", "*:80:"))
    assert rule.conditions[-1] == Condition("{HTTP_HOST}", r"^(other\.example)(:\d+)?$", negate=True)


def test_the_rules_go_before_what_would_swallow_the_traffic() -> None:
    """A catch-all for another host does not; a redirect stays ahead."""
    redirect = Rule("to https", stop_processing=True, match=Match("(.*)"), action=Action("Redirect", "https://x/{R:1}"))
    others = Rule(
        "others",
        stop_processing=True,
        match=Match(".*"),
        conditions=(Condition("{HTTP_HOST}", r"^other\.example$"),),
        action=Action("Rewrite", "http://o/{R:0}"),
    )
    swallows = Rule("ARR_x_loadbalance", True, "Wildcard", True, Match("*"), action=Action("Rewrite", "http://x/{R:0}"))
    off = replace(swallows, name="off", enabled=False)
    hosts = ("shop.example",)
    assert rule_position([redirect, others, off, swallows], hosts) == Position(Where.BEFORE, "ARR_x_loadbalance")
    assert rule_position([redirect, others, off], hosts).where is Where.LAST


def test_the_plan_is_refused_where_it_cannot_be_good() -> None:
    """Each with its own reason, before anything is changed."""
    words, wish = front(("http", "*:80:shop.example")), first_wish()

    def planned(what: Words, asked: object = wish, facts: MachineFacts | None = None) -> None:
        plan_first(asked, what, Owned(), facts, NOW)  # type: ignore[arg-type]  # always a wish

    planned(words)
    with pytest.raises(NoSuchObject, match="Back"):
        planned(words, replace(wish, site="Back"))
    with pytest.raises(RefusedError, match="Routing"):
        planned(words, facts=MachineFacts("m", NOW, arr_installed=False))
    with pytest.raises(RefusedError, match="farm"):
        planned(replace(words, farms=pair().farms))
    with pytest.raises(RefusedError, match="loop"):
        planned(front(("http", "*:8001:shop.example")))
    with pytest.raises(RefusedError, match="site 'shop-blue'"):
        planned(replace(words, sites=(*words.sites, site("shop-blue", 7, 9000))))


def test_the_rules_come_last_and_alone() -> None:
    """Everything else is idle before; the way back is their removal."""
    words = replace(front(("http", "*:80:a"), ("https", "*:443:a")), rule_lists=(RuleList("", ()),))
    plan = plan_first(first_wish(), words, Owned(), None, NOW)
    assert [type(one) for one in plan.switch] == [AddRule, AddRule]
    assert all(isinstance(one, RemoveRule) for one in plan.back)
    farm = next(one.farm for one in plan.make if isinstance(one, AddFarm))
    assert not any(one.enabled for one in farm.servers)
    assert not farm.protocol.cache.enabled
    assert [one.site_id for one in plan.instances] == [3, 4]
    assert any("way back" in one for one in plan.explain)
