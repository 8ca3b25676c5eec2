"""The maximum over a map is the same number, whatever the layout, the channels and the precision."""

import pytest
import torch

from icc_cli.extraction.pooling import Pooling

POOLING = Pooling("map", 4, "", "", (2, 3))


@pytest.mark.parametrize("channels", [1, 5, 32, 48])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_it_is_the_largest_number_or_nan(channels, layout, dtype):
    maps = torch.randn(6, channels, 5, 3, generator=torch.Generator().manual_seed(channels)) - 2
    maps[1, 0, 4, 2], maps[2, 0, 0, 0], maps[3, 0, :, :], maps[4, 0, 2, 1] = 9, torch.inf, -torch.inf, torch.nan
    maps = maps.to(dtype).contiguous(memory_format=layout)
    pooled = POOLING(maps)
    expected = [[torch.stack(list(map_.flatten())).max() for map_ in maps_] for maps_ in maps.float()]
    assert pooled.dtype == torch.float32 and pooled.shape == (6, channels)
    assert torch.equal(pooled.nan_to_num(123), torch.tensor(expected).nan_to_num(123)) and pooled[4, 0].isnan()
    maps.zero_()
    assert pooled[1, 0] == 9  # no memory is shared


def test_maps_of_one_position_share_no_memory():
    maps = torch.ones(2, 5, 1, 1)
    pooled = POOLING(maps)
    maps.zero_()
    assert pooled.eq(1).all()
