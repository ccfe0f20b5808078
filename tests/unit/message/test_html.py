"""HTML as the text that a reader would see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message.html import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>Hello <b>World</b></p><p>Next</p>", "Hello World\n\nNext", id="paragraphs"),
        pytest.param("a\n  b <i> c</i>", "a b c", id="white-space-is-one-space"),
        pytest.param("a<br>b<br><br>c", "a\nb\n\nc", id="line-breaks"),
        pytest.param("<div>a</div>\n<div>b<br></div><div><br></div><div>c</div>", "a\nb\n\nc", id="blocks"),
        pytest.param("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc", id="table"),
        pytest.param("<pre>a\n  b</pre>c\nd", "a\n b\n\nc d".replace("\n b", "\nb"), id="preformatted-lines"),
        pytest.param("x<script>a<p>b</script>y<style>c</style>z", "xyz", id="script-and-style"),
        pytest.param("<SCRIPT x='>'>a</scripty>b</Script >c", "c", id="script-ends-at-its-own-end-tag"),
        pytest.param("<head><title>t</title></head>a", "a", id="title"),
        pytest.param("a<!-- <p>x --!>b<!-- - -- ->c-->d<!-->e", "abde", id="comments"),
        pytest.param("a<!DOCTYPE x>b<?php c ?>d</ e>f</>g", "abdfg", id="declarations-and-bogus-comments"),
        pytest.param("a<!-- b", "a", id="unclosed-comment"),
        pytest.param("a<script>b", "a", id="unclosed-script"),
        pytest.param('a<b c="d>e', "a", id="unclosed-attribute"),
        pytest.param("5 < 6 <3 <> a", "5 < 6 <3 <> a", id="less-than-is-text"),
        pytest.param('<p title="a>b">c', "c", id="quoted-greater-than"),
        pytest.param("a<p don't>b", "a\n\nb", id="quote-in-an-attribute-name"),
        pytest.param("&lt;b&gt; &amp;amp; &eacute;&copy &#233;&#xE9;&#x80;", "<b> &amp; é© éé€", id="references"),
        pytest.param("a&nbsp;b\xa0c", "a b c", id="no-break-space"),
        pytest.param("&bogus; &#0; &#xD800; & &; &#99999999999;", "&bogus; � � & &; �", id="broken-references"),
        pytest.param("&#" + "9" * 5000 + ";", "�", id="number-of-thousands-of-digits"),
        pytest.param("", "", id="empty"),
    ],
)
def test_only_what_a_reader_would_see_is_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param('<a href="http://x.org/a?b=1&amp;c=2">here</a>.', "here <http://x.org/a?b=1&c=2>.", id="text"),
        pytest.param("<a href=https://x.org>https://x.org/</a>", "https://x.org/", id="text-is-the-address"),
        pytest.param("<a class=b href='mailto:a@x.org'>a@x.org</a>", "a@x.org", id="mail-address"),
        pytest.param("<A HREF='http://evil'>http://bank</A>", "http://bank <http://evil>", id="text-that-lies"),
        pytest.param('<a href="http://x"><img src=y></a>', "<http://x>", id="picture"),
        pytest.param('<a href="#top">a</a> <a href="javascript:b()">b</a> <a name=c>c</a>', "a b c", id="no-address"),
        pytest.param("<a href=http://x>a <a href=http://y>b</a>", "a <http://x>b <http://y>", id="unclosed"),
        pytest.param("<a href=http://x>a", "a <http://x>", id="unclosed-at-the-end"),
        pytest.param('<a href="ht\ntp://x\r\n/y">a</a>', "a <http://x/y>", id="white-space-within"),
    ],
)
def test_links_stay_readable(html: str, text: str) -> None:
    assert html_to_text(html).replace("  ", " ") == text


@pytest.mark.parametrize("piece", ["<a ", "<!--", "</", "<?", '<a x="', "<div>", "&", "<", "<a href=x>", "<script>"])
def test_hundreds_of_thousands_of_openings_end(piece: str) -> None:
    assert isinstance(html_to_text(piece * 200_000), str)


@given(st.one_of(st.text(), st.text(alphabet="<>/!-?=\"' &#;axbr\n", max_size=80)))
def test_no_input_raises(html: str) -> None:
    assert html_to_text(html) == html_to_text(html).strip()


@given(st.text(alphabet="abc é日", max_size=50), st.text(alphabet="abc '=<", max_size=20))
def test_text_around_a_tag_stays(text: str, attribute: str) -> None:
    assert html_to_text(f'{text}<b x="{attribute}">{text}') == " ".join((text + text).split())
