"""The store of obspec is what its protocols say."""

import obspec

from entrepot import Operator
from entrepot.integrations.obspec import ObspecStore
from entrepot.services import Memory

store = ObspecStore(Operator(Memory()))

copying: obspec.Copy = store
copying_async: obspec.CopyAsync = store
deleting: obspec.Delete = store
deleting_async: obspec.DeleteAsync = store
getting: obspec.Get = store
getting_async: obspec.GetAsync = store
getting_range: obspec.GetRange = store
getting_range_async: obspec.GetRangeAsync = store
getting_ranges: obspec.GetRanges = store
getting_ranges_async: obspec.GetRangesAsync = store
looking: obspec.Head = store
looking_async: obspec.HeadAsync = store
listing: obspec.List = store
listing_async: obspec.ListAsync = store
listing_level: obspec.ListWithDelimiter = store
listing_level_async: obspec.ListWithDelimiterAsync = store
putting: obspec.Put = store
putting_async: obspec.PutAsync = store
renaming: obspec.Rename = store
renaming_async: obspec.RenameAsync = store
