"""Mail::DKIM, an implementation of DKIM and ARC that is not the one we use, asking the DNS server of a test."""

import subprocess
from pathlib import Path

_VERIFY = """
use strict; use warnings; use Net::DNS::Resolver; use Mail::DKIM::DNS; use Mail::DKIM::Verifier; use Mail::DKIM::ARC::Verifier;
my ($port, $arc) = @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port, recurse => 1));
my $verifier = $arc ? Mail::DKIM::ARC::Verifier->new(Strict => 0) : Mail::DKIM::Verifier->new();
binmode STDIN; local $/; my $text = <STDIN>; $text =~ s/\\r?\\n/\\r\\n/g;
$verifier->PRINT($text); $verifier->CLOSE;
print $verifier->result;
"""


def is_installed() -> bool:
    check = ["perl", "-MMail::DKIM::Verifier", "-MNet::DNS", "-e", "1"]
    return (
        Path("/usr/bin/perl").exists() and subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


def verified(message: bytes, port: int, *, arc: bool = False) -> str:
    """`pass`, `fail`, `none`, `invalid` or `temperror`."""
    command = ["perl", "-e", _VERIFY, str(port), *(["arc"] if arc else [])]
    done = subprocess.run(command, input=message, capture_output=True, timeout=60, check=True)
    return done.stdout.decode()
