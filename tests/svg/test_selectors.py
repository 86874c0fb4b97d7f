"""Selectors, matched over a whole tree, match what cssselect2 matches element by element."""

from xml.etree.ElementTree import fromstring

import pytest
from cssselect2 import ElementWrapper
from cssselect2.parser import SelectorError, parse

from flipsketch.svg.selectors import Tree

ROOT = fromstring(
    """<svg id="s"><g class="a b" id="g"><path class="a"/><path id="p" d="M0 0"/><rect class="b c"/>
    <g class="a"><rect/><path class="b" d="M1 1"/><circle/></g></g><circle class="c"/><path/><g/>
    <g lang="en-GB"><g><g class="a"><path class="c a"/><rect id="r"/></g></g><rect/></g></svg>"""
)

SELECTORS = """
    * ; path ; .a ; #p ; path.a ; g .a ; g > .a ; g > g > path ; svg g g .c ; .a ~ rect ;
    .a + path ; path ~ * ~ circle ; g.a > * + * ; .a .a ; g g + rect ; :root > g ; :root ;
    :not(.a) ; :empty ; g:not(.a, #g) > * ; :is(.a, #p):not(g) ; :where(g, .c) rect ; [d] ;
    [d="M0 0"] ; [class~=a] ; [class|=c] ; [lang|=en] ; [id^=g] ; [d$="1"] ; [class*=" "] ;
    [CLASS] ; [class="A" i] ; :first-child ; :last-child ; :only-child ; path:first-of-type ;
    path:last-of-type ; circle:only-of-type ; :nth-child(2) ; :nth-child(2n+1) ;
    :nth-child(-n+2) ; :nth-last-child(2n) ; :nth-of-type(2) ; path:nth-last-of-type(1) ;
    :nth-child(n+2):nth-child(-n+3) ; :hover ; a:link ; g:has(> .b) ; g:has(circle) ;
    path:has(+ rect) ; :has(~ g.a) ; .b:has(~ g circle) ; .a:hover ; * > * > * + * ;
    g *:not(g *) ; svg > g:nth-child(1) > :nth-last-child(1) *
"""


@pytest.mark.parametrize("selector", [part.strip() for part in SELECTORS.split(";")])
def test_a_selector_matches_what_the_library_matches(selector):
    expected = ElementWrapper.from_xml_root(ROOT).query_all(selector)
    tree = Tree(ROOT)
    (parsed,) = parse(selector)
    found = [tree.elements[number] for number in tree.members(parsed.parsed_tree)]
    assert found == [wrapper.etree_element for wrapper in expected]


def test_the_number_among_some_siblings_counts_these_alone():
    tree = Tree(ROOT)
    (selector,) = parse(":nth-child(2 of .a)")
    assert [tree.elements[n].tag for n in tree.members(selector.parsed_tree)] == ["g"]


@pytest.mark.parametrize("text", [":unknown", ":nth-child(x)", ":nth-child(+)", ":unknown(1)"])
def test_what_css_does_not_know_is_an_error(text):
    tree = Tree(ROOT)
    with pytest.raises(SelectorError):
        [tree.members(selector.parsed_tree) for selector in parse(text)]
