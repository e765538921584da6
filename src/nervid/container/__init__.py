"""The .nerv file: a checked header and tagged, checksummed sections (docs/format.md); no torch."""

from nervid.container.format import ALGN as ALGN
from nervid.container.format import EMBD as EMBD
from nervid.container.format import MODL as MODL
from nervid.container.format import TIME as TIME
from nervid.container.format import TRAK as TRAK
from nervid.container.format import WGHT as WGHT
from nervid.container.format import WHOLE_FILE as WHOLE_FILE
from nervid.container.format import Section as Section
from nervid.container.format import SectionEntry as SectionEntry
from nervid.container.format import canonical_json as canonical_json
from nervid.container.header import EvenTimestamps as EvenTimestamps
from nervid.container.header import Header as Header
from nervid.container.header import TrackSummary as TrackSummary
from nervid.container.reader import NervFile as NervFile
from nervid.container.source import BinaryFile as BinaryFile
from nervid.container.source import ByteSource as ByteSource
from nervid.container.timestamps import decode_timestamps as decode_timestamps
from nervid.container.timestamps import encode_timestamps as encode_timestamps
from nervid.container.timestamps import even_spacing as even_spacing
from nervid.container.timestamps import read_timestamps as read_timestamps
from nervid.container.writer import pack as pack
from nervid.container.writer import parts as parts
from nervid.container.writer import save as save
