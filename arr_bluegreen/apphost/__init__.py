"""applicationHost.config as text: bytes in, words out; changes in, the same bytes out but for what was meant."""

from arr_bluegreen.apphost.document import ApplicationHost, Applied

__all__ = ["ApplicationHost", "Applied"]
