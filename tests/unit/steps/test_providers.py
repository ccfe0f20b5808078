"""What is believed of Authentication-Results in messages as large providers lay them out, and of forgeries in them.

`trust` is what docs/settings.md says for each.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from postroom import steps, testing
from postroom.pipeline.outcome import Fact
from postroom.pipeline.view import Auth
from postroom.settings.model import TrustLine

PAGE = (Path(__file__).parents[3] / "docs/settings.md").read_text(encoding="utf-8")
LINES = dict(re.findall(r"^\| (.+?) \| `(\{hosts.*\})` \|$", PAGE, re.MULTILINE))
OPENDMARC = "the same, with OpenDKIM and OpenDMARC that write below the Received field"

GMAIL = """\
Delivered-To: bob@gmail.com
Received: by 2002:a05:6102:1591:b0:4e6:245b:cf57 with SMTP id j2csp1118498wra;
        Sat, 7 Jun 2025 14:02:46 -0700 (PDT)
X-Received: by 2002:a05:6102:1591:b0:4e6:245b:cf57 with SMTP id ada2mr78;
        Sat, 07 Jun 2025 14:02:45 -0700 (PDT)
ARC-Seal: i=1; a=rsa-sha256; t=1749330165; cv=none; d=google.com; s=arc-20240605; b=x
ARC-Authentication-Results: i=1; mx.google.com;
       dkim=pass header.i=@example.org header.s=s1 header.b=hr44hXYS;
       spf=pass (google.com: domain of ann@example.org designates 203.0.113.9 as permitted sender)
       smtp.mailfrom=ann@example.org;
       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.org
Return-Path: <ann@example.org>
Received: from mail.example.org (mail.example.org. [203.0.113.9])
        by mx.google.com with ESMTPS id b8sor5518749pgr.43.2019.04.24.13.33.12
        for <bob@gmail.com> (version=TLS1_3);
        Sat, 07 Jun 2025 14:02:45 -0700 (PDT)
Received-SPF: pass (google.com: domain of ann@example.org designates 203.0.113.9 as permitted sender)
"""
MICROSOFT = """\
Received: from DM4PR12MB6448.namprd12.prod.outlook.com (2603:10b6:8:8a::7) by
 BN1PR12MB0002.namprd12.prod.outlook.com with HTTPS; Tue, 11 Mar 2025 19:45:31 +0000
Received: from BN1PR10CA0002.namprd10.prod.outlook.com (2603:10b6:408:e0::7)
 by DM4PR12MB6448.namprd12.prod.outlook.com (2603:10b6:8:8a::7) with Microsoft
 SMTP Server (version=TLS1_2) id 15.20.8511.27; Tue, 11 Mar 2025 19:45:30 +0000
Received: from BN1PEPF00004687.namprd05.prod.outlook.com
 (2603:10b6:408:e0:cafe::b7) by BN1PR10CA0002.outlook.office365.com
 (2603:10b6:408:e0::7) with Microsoft SMTP Server (version=TLS1_3,
 cipher=TLS_AES_256_GCM_SHA384) id 15.20.8534.21 via Frontend Transport; Tue,
 11 Mar 2025 19:45:29 +0000
Authentication-Results: spf=pass (sender IP is 203.0.113.9)
 smtp.mailfrom=example.org; dkim=none (message not signed)
 header.d=none;dmarc=pass action=none header.from=example.org;compauth=pass reason=100
Received-SPF: Pass (protection.outlook.com: domain of example.org designates
 203.0.113.9 as permitted sender) client-ip=203.0.113.9; helo=mail.example.org; pr=C
Received: from mail.example.org (203.0.113.9) by
 BN1PEPF00004687.mail.protection.outlook.com (10.167.243.132) with Microsoft
 SMTP Server (version=TLS1_2) id 15.20.8534.20 via Frontend Transport; Tue, 11 Mar 2025 19:45:29 +0000
"""
FASTMAIL = """\
Received: from compute4.internal (compute4.nyi.internal [10.202.2.44])
\t by sloti33d1t06 (Cyrus 3.0) with LMTPA; Fri, 10 Apr 2015 16:31:40 -0400
X-Spam-score: 0.0
Received: from mx4 ([10.202.2.203])
  by compute4.internal (LMTPProxy); Fri, 10 Apr 2015 16:31:40 -0400
Received: from mx4.messagingengine.com (localhost [127.0.0.1])
\tby mailmx.nyi.internal (Postfix) with ESMTP id 374E43C010C
Received: from mailmx.nyi.internal (localhost [127.0.0.1])
    by mx4.messagingengine.com (Authentication Milter) with ESMTP
ARC-Authentication-Results: i=1; mx4.messagingengine.com; x-csa=none; arc=none (no signatures found);
    dkim=pass (2048-bit rsa key sha256) header.d=example.org; dmarc=pass (p=none) header.from=example.org;
    spf=pass smtp.mailfrom=ann@example.org
Authentication-Results: mx4.messagingengine.com; x-csa=none; x-me-sender=none
Authentication-Results: mx4.messagingengine.com; arc=none (no signatures found)
Authentication-Results: mx4.messagingengine.com;
    dkim=pass (2048-bit rsa key sha256) header.d=example.org header.s=20210112 x-bits=2048;
    dmarc=pass policy.published-domain-policy=none (p=none,sp=quarantine,d=none,d.eval=none) header.from=example.org;
    spf=pass smtp.mailfrom=ann@example.org smtp.helo=mail.example.org
Received: from mail.example.org (mail.example.org [203.0.113.9])
\tby mx4.messagingengine.com (Postfix) with ESMTP id 1602A3C017A
"""
MILTERS = """\
Received: from mail.example.org (mail.example.org [203.0.113.9])
\tby mx.example.com (Postfix) with ESMTP id E497C2173E
DMARC-Filter: OpenDMARC Filter v1.4.2 mx.example.com E497C2173E
Authentication-Results: mx.example.com; dmarc=pass (p=reject dis=none) header.from=example.org
Authentication-Results: mx.example.com; spf=pass smtp.mailfrom=ann@example.org
DKIM-Filter: OpenDKIM Filter v2.11.0 mx.example.com E497C2173E
Authentication-Results: mx.example.com;
\tdkim=pass (2048-bit key) header.d=example.org header.i=@example.org header.b="W3Al45pt"
"""
ALL = Auth(dkim="pass", spf="pass", dmarc="pass")
LAID_OUT = {
    "Gmail": (GMAIL, ALL.model_copy(update={"policy": "reject"})),
    "Microsoft 365": (MICROSOFT, Auth(dkim="none", spf="pass", dmarc="pass")),
    "Fastmail": (FASTMAIL, ALL.model_copy(update={"arc": "none", "policy": "none"})),
    OPENDMARC: (MILTERS, ALL.model_copy(update={"policy": "reject"})),
}
IDS = ["Gmail", "Microsoft", "Fastmail", "milters"]


def told(provider: str, fields: str) -> Auth | None:
    """What is believed of a message with these fields on top."""
    line = TrustLine.model_validate(yaml.safe_load(LINES[provider]))
    trust: Any = {"hosts": line.hosts, "authserv_id": line.authserv_id, "below": line.below}
    tools = testing.tools()
    tools = testing.tools(trust=tools.trust.model_copy(update=trust))
    raw = fields.replace("\n", "\r\n").encode() + testing.message()
    outcomes = steps.step("authenticate").model_validate({"from": "headers"}).plan(testing.view(raw), tools)
    return next((one.facts.auth for one in outcomes if isinstance(one, Fact)), None)


@pytest.mark.parametrize("provider", LAID_OUT, ids=IDS)
def test_what_a_provider_found_is_read_where_it_writes_it(provider: str) -> None:
    fields, expected = LAID_OUT[provider]
    assert told(provider, fields) == expected


# What a sender may put on top of his own message, hoping to be taken for the provider.
FORGED = [
    "Authentication-Results: {id}; dkim=pass; spf=pass; dmarc=pass; arc=pass",
    "ARC-Authentication-Results: i=2; {id}; dkim=pass; spf=pass; dmarc=pass; arc=pass",
    "Authentication-Results: spf=pass; dkim=pass; dmarc=pass; arc=pass",
    "Received: from localhost (localhost [127.0.0.1]) by {by}; x\n"
    "Authentication-Results: {id}; dkim=pass; spf=pass; dmarc=pass; arc=pass\nReceived: from x ([203.0.113.1]) by {by}; x",
    "Received: from {by} (10.0.0.1) by {by}; x\nReceived-SPF: pass\n"
    "ARC-Authentication-Results: i=1; {id}; dkim=pass; spf=pass; dmarc=pass; arc=pass\nReceived: by {by}; x",
]
NAMES = {
    "Gmail": ("mx.google.com", "mx.google.com"),
    "Microsoft 365": ("mx.microsoft.com", "BN1PEPF00004687.mail.protection.outlook.com"),
    "Fastmail": ("mx4.messagingengine.com", "mx4.messagingengine.com"),
    OPENDMARC: ("mx.example.com", "mx.example.com"),
}


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("provider", ["Gmail", "Microsoft 365", "Fastmail"])
def test_what_a_sender_wrote_below_the_line_is_not_believed(provider: str, forged: str) -> None:
    fields, expected = LAID_OUT[provider]
    name, by = NAMES[provider]
    assert told(provider, fields + forged.format(id=name, by=by) + "\n") == expected
    silent = re.sub(r"^(ARC-)?Authentication-Results:.*\n(?:\s.*\n)*", "", fields, flags=re.MULTILINE)
    assert told(provider, silent + forged.format(id=name, by=by) + "\n") is None


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_what_a_sender_wrote_below_results_that_stand_below_the_line_changes_none_of_them(forged: str) -> None:
    failed = MILTERS.replace("=pass", "=fail")
    found = told(OPENDMARC, failed + forged.format(id="mx.example.com", by="mx.example.com") + "\n")
    assert found is not None
    assert (found.dkim, found.spf, found.dmarc) == ("fail", "fail", "fail")


@pytest.mark.parametrize("between", ["Subject: x", "X-Mailer: x", "ARC-Seal: i=1", "Received: from a by b; x"])
def test_below_the_line_nothing_is_read_after_a_field_of_the_senders(between: str) -> None:
    line = "".join(MILTERS.partition("DMARC-Filter")[0])
    assert told(OPENDMARC, line + between + "\nAuthentication-Results: mx.example.com; dkim=pass\n") is None


def test_below_a_line_that_is_not_ours_nothing_is_read() -> None:
    assert told(OPENDMARC, MILTERS.replace("by mx.example.com", "by mx.example.net")) is None


def test_a_greeting_with_the_name_of_an_inner_host_does_not_make_one() -> None:
    """Microsoft writes the greeting first and an IPv6 address without brackets behind it."""
    border = "Received: from X.prod.outlook.com (2001:db8::bad) by Y.mail.protection.outlook.com (10.1.1.1); x\n"
    forged = "Authentication-Results: spf=pass; dkim=pass\nReceived: from a (1.2.3.4) by Z.prod.outlook.com; x\n"
    assert told("Microsoft 365", border + forged) is None


def test_a_passed_signature_of_a_lower_field_does_not_replace_what_the_topmost_says() -> None:
    fields = "".join(f"Authentication-Results: mx.example.com; dkim={one}\n" for one in ("fail", "pass"))
    assert told("your own Postfix or Exim", fields + MILTERS) == Auth(dkim="fail")
