"""URL Rewrite as this machine plays it (arr.md 2; D-RWREF in arr.md 8)."""

from __future__ import annotations

import pytest

from arr_bluegreen.pytest_plugin import BLUE_GREEN, HostFactory
from arr_bluegreen.simulator.exchange import Outcome as Ended
from arr_bluegreen.simulator.exchange import PublicRequest
from arr_bluegreen.simulator.reading import read
from arr_bluegreen.simulator.rules import Answered, Asked, Outcome, Rewritten, evaluate, headers_for, mentioned

DATA = BLUE_GREEN.read_bytes()
WEB_CONFIG = "<configuration><system.webServer><rewrite><rules>{}</rules></rewrite></system.webServer></configuration>"
TO_SHOP = 'type="Rewrite" url="http://shop/{R:0}"'


def rules(text: str) -> bytes:
    """The fixture with these global rules."""
    start, end = DATA.index(b"<globalRules>") + 13, DATA.index(b"</globalRules>")
    return DATA[:start] + text.encode() + DATA[end:]


def rule(name: str, match: str, action: str, conditions: str = "", more: str = "") -> str:
    inside = f'<match url="{match}" /><conditions>{conditions}</conditions><action {action} />'
    return f'<rule name="{name}" {more}>{inside}</rule>'


def outcome(text: str, path: str = "/a/b", query: str = "x=1", **more: object) -> Outcome:
    asked = Asked("shop.example", path=path, query=query, **more)  # type: ignore[arg-type]  # keywords
    return evaluate(read(rules(text)), asked)


def went_to(text: str, path: str = "/a/b", query: str = "", **more: object) -> str | None:
    """Where a rewrite leads, as one text; None when the request stays as it is."""
    found = outcome(text, path, query, **more)
    assert found is None or isinstance(found, Rewritten)
    return None if found is None else f"{found.host}{found.path}"


class TestPatterns:
    """What matches."""

    def test_the_path_has_no_slash_and_the_query_follows(self) -> None:
        assert went_to(rule("r", "^a/(.*)", 'type="Rewrite" url="http://shop/{R:1}"'), query="x=1") == "shop/b?x=1"

    def test_the_query_may_be_left_out(self) -> None:
        assert went_to(rule("r", ".*", f'{TO_SHOP} appendQueryString="false"'), query="x=1") == "shop/a/b"

    def test_the_queries_of_rule_and_request_are_joined(self) -> None:
        assert went_to(rule("r", ".*", 'type="Rewrite" url="http://shop/?a=b"'), query="x=1") == "shop/?a=b&x=1"

    @pytest.mark.parametrize(
        ("pattern", "path", "matches"),
        [
            ("*", "/", True),
            ("*", "/a/b", True),
            ("a/*", "/a/b", True),
            ("a", "/a/b", False),
            ("a/?", "/a/b", True),
            ("a/?", "/a/bc", False),
            ("*.aspx", "/x/DEFAULT.ASPX", True),
        ],
    )
    def test_a_wildcard_takes_the_whole_path(self, pattern: str, path: str, matches: bool) -> None:
        text = rule("r", pattern, TO_SHOP, more='patternSyntax="Wildcard"')
        assert (went_to(text, path) is not None) is matches

    def test_each_star_is_a_back_reference_and_a_question_mark_is_none(self) -> None:
        text = rule("r", "*/?*.html", 'type="Rewrite" url="http://shop/{R:2}-{R:1}"', more='patternSyntax="wildcard"')
        assert went_to(text, "/contoso/test.html") == "shop/est-contoso"

    def test_an_expression_searches_and_is_taken_without_case_unless_told(self) -> None:
        assert went_to(rule("r", "B$", TO_SHOP)) == "shop/b"
        assert went_to(rule("r", "B$", TO_SHOP).replace("<match ", '<match ignoreCase="false" ')) is None
        assert went_to(rule("r", ".+", TO_SHOP), path="/") is None

    def test_an_exact_match_compares(self) -> None:
        text = rule("r", "A/B", TO_SHOP, more='patternSyntax="ExactMatch"')
        assert went_to(text) == "shop/a/b"
        assert went_to(text, "/a/bc") is None

    def test_the_syntax_of_the_rule_is_that_of_its_conditions(self) -> None:
        for pattern, matches in (("^shop\\.example$", False), ("*.example", True)):
            condition = f'<add input="{{HTTP_HOST}}" pattern="{pattern}" />'
            text = rule("r", "*", TO_SHOP, condition, 'patternSyntax="Wildcard"')
            assert (went_to(text) is not None) is matches

    def test_a_negated_match_has_no_groups_of_its_own(self) -> None:
        text = rule("r", "^admin", TO_SHOP).replace("<match ", '<match negate="true" ')
        assert went_to(text) == "shop/a/b"
        assert went_to(text, "/admin/x") is None


class TestConditions:
    """Host, port, TLS, headers; all or any; what they capture."""

    def test_host_port_and_tls_count(self) -> None:
        conditions = '<add input="{HTTP_HOST}" pattern="^shop\\.example$" /><add input="{HTTPS}" pattern="^ON$" />'
        text = rule("r", ".*", TO_SHOP, conditions)
        assert went_to(text) is None
        assert went_to(text, secure=True)
        assert went_to(text.replace("<conditions>", '<conditions logicalGrouping="MatchAny">'))
        port = rule("r", ".*", TO_SHOP, '<add input="{SERVER_PORT}" pattern="^80$" />')
        assert went_to(port)
        assert went_to(port, port=8001) is None

    def test_a_host_keeps_its_port(self) -> None:
        text = rule("r", ".*", 'type="Rewrite" url="http://{HTTP_HOST}/{SERVER_NAME}"')
        found = evaluate(read(rules(text)), Asked("shop.example:8080"))
        assert found == Rewritten("http", "shop.example:8080", "/shop.example")

    def test_a_negated_condition_captures_nothing(self) -> None:
        conditions = '<add input="{QUERY_STRING}" pattern="x=(\\d)" />'
        conditions += '<add input="{REQUEST_METHOD}" pattern="^(POST)$" negate="true" />'
        text = rule("r", ".*", 'type="Rewrite" url="http://shop/{C:1}" appendQueryString="false"', conditions)
        assert went_to(text, query="x=1") == "shop/1"
        assert went_to(text, query="x=1", method="POST") is None

    @pytest.mark.parametrize(("more", "seen"), [("", "2--"), ('trackAllCaptures="true"', "1-2-")])
    def test_captures_are_the_last_conditions_or_all(self, more: str, seen: str) -> None:
        conditions = '<add input="{QUERY_STRING}" pattern="x=(\\d)" /><add input="{QUERY_STRING}" pattern="y=(\\d)" />'
        action = 'type="Rewrite" url="http://shop/{C:1}-{C:2}-{C:3}" appendQueryString="false"'
        text = rule("r", ".*", action, conditions).replace("<conditions>", f"<conditions {more}>")
        assert went_to(text, query="x=1&y=2") == f"shop/{seen}"

    def test_a_condition_may_look_at_what_the_one_before_captured(self) -> None:
        conditions = '<add input="{HTTP_HOST}" pattern="^(\\w+)\\." /><add input="{C:1}/{R:0}" pattern="^shop/a" />'
        assert went_to(rule("r", ".*", TO_SHOP, conditions))

    def test_request_headers_are_variables(self) -> None:
        text = rule("r", ".*", TO_SHOP, '<add input="{HTTP_X_CANARY}" pattern="^yes$" />')
        wanted = mentioned(rules(text))
        assert "X_CANARY" in wanted
        assert went_to(text, headers=headers_for(wanted, {"x-canary": "yes", "Cookie": "a"}))
        assert went_to(text, headers=headers_for(wanted, {"x-canary": "no"})) is None

    def test_what_a_client_sends_is_text_and_no_variable(self) -> None:
        """A brace in the path is not looked into again."""
        assert went_to(rule("r", ".*", TO_SHOP), "/{HTTP_HOST}/{R:9}") == "shop/{HTTP_HOST}/{R:9}"


class TestActions:
    """What a rule does, and who comes after it."""

    @pytest.mark.parametrize("action", [TO_SHOP, 'type="None"'])
    def test_a_rule_that_stops_is_the_last(self, action: str) -> None:
        first = rule("a", ".*", action, more='stopProcessing="true"')
        second = rule("b", ".*", 'type="Rewrite" url="http://two/{R:0}"')
        assert went_to(first + second) == ("shop/a/b" if action == TO_SHOP else None)

    def test_a_rule_that_does_not_match_stops_nothing(self) -> None:
        first = rule("a", "^other$", TO_SHOP, more='stopProcessing="true"')
        assert went_to(first + rule("b", ".*", 'type="Rewrite" url="http://two/{R:0}"')) == "two/a/b"

    def test_the_next_rule_sees_what_the_one_before_made(self) -> None:
        first = rule("a", "^a/(.*)", 'type="Rewrite" url="c/{R:1}?y=2"')
        condition = '<add input="{QUERY_STRING}" pattern="y=2" />'
        second = rule("b", "^c/b$", 'type="Rewrite" url="http://shop{URL}"', condition)
        assert went_to(first + second, query="x=1") == "shop/c/b?y=2&x=1"
        assert went_to(first, query="x=1") == "/c/b?y=2&x=1"

    @pytest.mark.parametrize(
        ("action", "answer"),
        [
            ('type="Redirect" url="https://x/{R:0}" redirectType="Found"', Answered(302, "https://x/a/b?x=1")),
            ('type="Redirect" url="https://x/?a=b"', Answered(301, "https://x/?a=b&x=1")),
            ('type="Redirect" url="/y" appendQueryString="false" redirectType="Temporary"', Answered(307, "/y")),
            (
                'type="CustomResponse" statusCode="410" subStatusCode="7" statusReason="Gone" statusDescription="ever"',
                Answered(410, "", 7, "Gone", "ever"),
            ),
            ('type="AbortRequest"', Answered(0)),
        ],
    )
    def test_a_rule_may_answer_by_itself(self, action: str, answer: Answered) -> None:
        assert outcome(rule("r", ".*", action) + rule("b", ".*", TO_SHOP)) == answer

    def test_a_disabled_rule_does_nothing(self) -> None:
        assert went_to(rule("r", ".*", TO_SHOP, more='enabled="false"')) is None

    def test_a_map_may_choose_the_farm(self) -> None:
        data = rules(rule("r", ".*", 'type="Rewrite" url="http://{live:{ToLower:{HTTP_HOST}}}/{R:0}"')).replace(
            b"<rewriteMaps />",
            b'<rewriteMaps><rewriteMap name="live" defaultValue="x">'
            b'<add key="shop.example" value="green" /></rewriteMap></rewriteMaps>',
        )
        assert evaluate(read(data), Asked("SHOP.example")) == Rewritten("http", "green", "/")
        assert evaluate(read(data), Asked("other")) == Rewritten("http", "x", "/")

    @pytest.mark.parametrize(
        ("text", "gives"), [("{UrlEncode:{R:0}}", "a%20b"), ("{UrlDecode:%41}", "A"), ("{NO_VARIABLE}", "")]
    )
    def test_string_functions(self, text: str, gives: str) -> None:
        assert went_to(rule("r", ".*", f'type="Rewrite" url="http://shop/{text}"'), "/a b") == f"shop/{gives}"

    def test_server_variables_become_headers(self) -> None:
        text = rule("r", ".*", TO_SHOP).replace(
            "<action", '<serverVariables><set name="HTTP_X_FROM" value="{HTTP_HOST}" /></serverVariables><action'
        )
        assert outcome(text) == Rewritten("http", "shop", "/a/b?x=1", (("X-FROM", "shop.example"),))

    def test_one_malformed_global_rule_takes_every_request_down(self) -> None:
        """500.51 (arr.md 2.2), also where the rule would not be reached."""
        broken = rule("b", "(", TO_SHOP)
        assert outcome(rule("a", ".*", TO_SHOP, more='stopProcessing="true"') + broken) == Answered(500, sub_status=51)
        assert went_to(rule("a", ".*", TO_SHOP) + broken.replace("<rule ", '<rule enabled="false" ')) == "shop/a/b"


def at_site(data: bytes, site: str, path: str = "/a/b", web_config: str = "") -> Outcome:
    return evaluate(read(data), Asked("shop.example", path=path, site=site, web_config=web_config.encode()))


def location(path: str, text: str, section: str = "rules") -> bytes:
    inside = f"<system.webServer><rewrite><{section}>{text}</{section}></rewrite></system.webServer>"
    block = f'<location path="{path}">{inside}</location></configuration>'
    return rules("").replace(b"</configuration>", block.encode())


class TestDistributedRules:
    """Rules of a site, in a ``<location>`` or its own web.config (arr.md 2.2, 2.4)."""

    def test_they_concern_their_own_site_only(self) -> None:
        data = location("Front", rule("r", ".*", TO_SHOP))
        assert at_site(data, "front") == Rewritten("http", "shop", "/a/b")
        assert at_site(data, "Front2") is None
        assert at_site(data, "shop-blue") is None

    def test_they_come_after_the_global_ones_and_see_their_url(self) -> None:
        data = location("Front", rule("r", "^new$", TO_SHOP))
        first = rule("g", "^a/b$", 'type="Rewrite" url="new"').encode()
        data = data.replace(b"<globalRules></globalRules>", b"<globalRules>" + first + b"</globalRules>")
        assert at_site(data, "Front") == Rewritten("http", "shop", "/new")

    def test_a_path_is_relative_to_its_level(self) -> None:
        data = location("Front/a", rule("r", "^b$", 'type="Rewrite" url="c"'))
        assert at_site(data, "Front") == Rewritten("", "", "/a/c")
        assert at_site(data, "Front", "/b") is None

    def test_parents_come_first_and_may_be_taken_away(self) -> None:
        data = location("Front", rule("parent", ".*", TO_SHOP, more='stopProcessing="true"'))
        child = rule("child", ".*", 'type="Rewrite" url="http://two/{R:0}"')
        assert at_site(data, "Front", web_config=WEB_CONFIG.format(child)) == Rewritten("http", "shop", "/a/b")
        for gone in ('<remove name="PARENT" />', "<clear />"):
            assert at_site(data, "Front", web_config=WEB_CONFIG.format(gone + child)) == Rewritten(
                "http", "two", "/a/b"
            )

    def test_a_variable_that_is_not_allowed_is_500_50(self) -> None:
        text = rule("r", ".*", TO_SHOP).replace(
            "<action", '<serverVariables><set name="HTTP_X" value="1" /></serverVariables><action'
        )
        data = location("Front", text)
        assert at_site(data, "Front") == Answered(500, sub_status=50)
        allowed = data.replace(
            b"<rewriteMaps />", b'<allowedServerVariables><add name="HTTP_X" /></allowedServerVariables>', 1
        )
        assert at_site(allowed, "Front") == Rewritten("http", "shop", "/a/b", (("X", "1"),))

    def test_a_malformed_one_takes_its_own_site_down(self) -> None:
        data = location("Front", rule("r", "(", TO_SHOP))
        assert at_site(data, "Front") == Answered(500, sub_status=50)
        assert at_site(data, "shop-blue") is None


class TestOnTheMachine:
    """Rules as requests meet them."""

    def sent(self, make: HostFactory, data: bytes, **more: object) -> Ended:
        host = make(data, versions={"shop-blue": "1"})
        ended: list[Ended] = []
        host.exchange.send(PublicRequest("shop.example", **more), ended.append)  # type: ignore[arg-type]  # keywords
        return ended[0]

    def test_a_rewrite_to_host_and_port_needs_the_proxy(self, arr_host_from: HostFactory) -> None:
        public = '<add input="{SERVER_PORT}" pattern="^80$" />'
        data = rules(rule("r", "^api", 'type="Rewrite" url="http://127.0.0.2:8001/{R:0}"', public))
        assert self.sent(arr_host_from, data, path="/api").status == 200
        off = data.replace(b'<proxy enabled="true" />', b'<proxy enabled="false" />')
        assert self.sent(arr_host_from, off, path="/api").status == 404

    def test_a_catch_all_without_a_port_sends_the_slots_requests_back_to_the_farm(
        self, arr_host_from: HostFactory
    ) -> None:
        """Max-Forwards ends it: 400.605 (arr.md 2.4)."""
        ended = self.sent(arr_host_from, rules(rule("r", "*", TO_SHOP, more='patternSyntax="Wildcard"')))
        assert (ended.status, ended.sub_status) == (400, 605)

    def test_a_rule_of_the_front_site_keeps_the_slots_out_by_itself(self, arr_host_from: HostFactory) -> None:
        ended = self.sent(arr_host_from, location("Front", rule("r", ".*", TO_SHOP)))
        assert (ended.status, ended.version) == (200, "1")

    def test_a_slots_own_web_config_is_obeyed_at_once(self, arr_host_from: HostFactory) -> None:
        host = arr_host_from(versions={"shop-blue": "1"})
        redirect = rule("r", "^old$", 'type="Redirect" url="/new"')
        ended: list[Ended] = []
        host.exchange.send(PublicRequest("shop.example", path="/old"), ended.append)
        host.files.write_text(r"C:\inetpub\shop-blue\web.config", WEB_CONFIG.format(redirect))
        host.exchange.send(PublicRequest("shop.example", path="/old"), ended.append)
        assert [one.status for one in ended] == [200, 301]
