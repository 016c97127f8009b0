"""Rows of BroadWorks' CSV files for tests; every number, name and id is invented."""

from typing import Final

HEAD: Final = b"version=23.0 encoding=ISO-8859-1\n"
START: Final = b"0000000001aabbcc01ddee20261020070000.0001+020000,,Start\n"
END: Final = b"0000000099aabbcc01ddee20261020080000.0001+020000,,End\n"

_PLACES = {
    "recordId": 0,
    "serviceProvider": 1,
    "type": 2,
    "userNumber": 3,
    "groupNumber": 4,
    "direction": 5,
    "callingNumber": 6,
    "callingPresentationIndicator": 7,
    "calledNumber": 8,
    "startTime": 9,
    "userTimeZone": 10,
    "answerIndicator": 11,
    "answerTime": 12,
    "releaseTime": 13,
    "terminationCause": 14,
    "networkType": 15,
    "dialedDigits": 17,
    "accessDeviceAddress": 26,
    "group": 31,
    "accountCode": 33,
    "authorizationCode": 34,
    "originalCalledNumber": 35,
    "originalCalledReason": 37,
    "redirectingNumber": 38,
    "redirectingReason": 40,
    "chargeIndicator": 41,
    "typeOfNetwork": 42,
    "localCallId": 44,
    "remoteCallId": 45,
    "userId": 120,
    "otherPartyName": 121,
}
_ROW = {
    "recordId": "0000000002aabbcc01ddee20261020070000.0001+020000",
    "serviceProvider": "Example_sp",
    "type": "Normal",
    "userNumber": "+3224445566",
    "direction": "Terminating",
    "callingNumber": "+32470112233",
    "callingPresentationIndicator": "Public",
    "calledNumber": "+3224445566",
    "startTime": "20261020070000.000",
    "userTimeZone": "1+020000",
    "answerIndicator": "Yes",
    "answerTime": "20261020070005.500",
    "releaseTime": "20261020070105.750",
    "terminationCause": "016",
    "networkType": "VoIP",
    "dialedDigits": "024445566",
    "accessDeviceAddress": "192.0.2.14",
    "group": "Example_gp",
    "accountCode": "99887766",
    "authorizationCode": "55443322",
    "chargeIndicator": "y",
    "typeOfNetwork": "public",
    "localCallId": "66330:0",
    "userId": "ann@example.org",
    "otherPartyName": r"Maes\, Bart \\ Co",
}


def broadworks(*, width: int = 300, **columns: str) -> bytes:
    """One row of so many columns, those named replaced, as they stand in the file."""
    cells = [""] * width
    for name, value in (_ROW | columns).items():
        if _PLACES[name] < width:
            cells[_PLACES[name]] = value
    return ",".join(cells).encode("latin-1") + b"\n"


def record_id(number: int, *, date: str = "20261020070000.000", system: str = "aabbcc01ddee") -> str:
    """An identity."""
    return f"{number:010}{system}{date}1+020000"
