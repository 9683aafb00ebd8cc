from __future__ import annotations

import numpy as np
import pytest

from dehaze.runtime.media.pixels.hdr import Mastering, curve_of, view_of

PQ, HLG, BT2020 = 16, 18, 9


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_codes_come_back_through_the_values_of_a_display(transfer: int) -> None:
    curve = curve_of(transfer)
    assert curve is not None
    ten_bits = np.rint(np.linspace(0, 65535, 1024)).astype(np.uint16)
    back = curve.codes[curve.shown[ten_bits]]
    assert np.abs(back.astype(int) - ten_bits).max() < 8  # an eighth of one of 1024 codes


@pytest.mark.parametrize(("transfer", "code"), [(PQ, 0.5807), (HLG, 0.75)])
def test_diffuse_white_is_what_BT_2408_says(transfer: int, code: float) -> None:
    curve, view = curve_of(transfer), view_of(transfer, BT2020)
    assert curve is not None
    assert view is not None
    value = curve.shown[round(code * 65535)]
    assert value / 65535 == pytest.approx(curve.white, abs=2e-3)
    assert view(np.full((2, 2, 3), value, np.uint16)).min() >= 253
    assert view(np.full((2, 2, 3), curve.shown[60000], np.uint16)).min() == 255


def test_an_ordinary_video_is_seen_as_it_is() -> None:
    assert view_of(1, 1) is None
    assert curve_of(1) is None


def test_mastering_metadata_is_told_to_encoders_in_their_own_words() -> None:
    corners = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.329))
    mastering = Mastering(corners, (0.0001, 1000.0), (1000, 400))
    assert mastering.encoder_options("libx265") == {
        "x265-params": "master-display=G(13250,34500)B(7500,3000)R(34000,16000)"
        "WP(15635,16450)L(10000000,1):max-cll=1000,400"
    }
    assert mastering.encoder_options("mpeg4") == {}
