"""The simulated songs: names combined from word lists, drawn with a skewed popularity."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

_ADJECTIVES = (
    "Amber", "Borrowed", "Crooked", "Distant", "Electric", "Foggy", "Gentle", "Hollow", "Indigo", "Jagged", "Kindred",
    "Lonesome", "Midnight", "Northern", "Orbiting", "Paper", "Quiet", "Restless", "Scarlet", "Tidal", "Unwritten",
    "Velvet", "Wandering", "Yonder", "Zigzag", "Brass", "Copper", "Feral", "Gilded", "Hidden",
)  # fmt: skip
_NOUNS = (
    "Antlers", "Beacons", "Caravans", "Drifters", "Embers", "Foxes", "Gardens", "Harbours", "Islands", "Jackdaws",
    "Kites", "Lanterns", "Meridians", "Nomads", "Orchards", "Pilots", "Quarries", "Rivers", "Satellites", "Thickets",
    "Umbrellas", "Valleys", "Windmills", "Yarrows", "Zephyrs", "Bridges", "Compasses", "Dynamos", "Engines", "Falcons",
)  # fmt: skip
_VERBS = (
    "Calling", "Carry", "Counting", "Dancing on", "Dreaming of", "Falling for", "Finding", "Follow", "Forget", "Hold",
    "Keep", "Leaving", "Letters to", "Looking for", "Missing", "No More", "One Last", "Remember", "Running from",
    "Save", "Singing for", "Somewhere Near", "Tell", "Waiting for", "Waltz of",
)  # fmt: skip
_OBJECTS = (
    "August", "Avalon", "Daylight", "December", "Echoes", "Evergreen", "Fireflies", "Gravity", "Home", "Honey",
    "Lightning", "Lullabies", "Marigold", "Monday", "Moonlight", "Mountains", "Nowhere", "October", "Rain", "Saturday",
    "Shadows", "Silver", "Sparks", "Strangers", "Summer", "the City", "the Coast", "the Moon", "the Sea", "Tomorrow",
    "Tonight", "Violet", "Winter", "Wonder", "You",
)  # fmt: skip

ARTISTS = len(_ADJECTIVES) * len(_NOUNS)
TITLES = len(_VERBS) * len(_OBJECTS)
# Popularity decreases with rank: artist a is drawn with density proportional to (a / ARTISTS) ** (1 / SKEW - 1), so
# with SKEW 2 the first percent of artists has a tenth of all plays.
SONGS_PER_ARTIST = 30
SKEW = 2.0


class Song(NamedTuple):
    """A song: artist, title and length in seconds."""

    artist: str
    title: str
    length: float


def draw_song(random: Random) -> Song:
    """Draw a song by popularity; a song always has the same length."""
    artist = int(ARTISTS * random.random() ** SKEW)
    number = int(SONGS_PER_ARTIST * random.random() ** SKEW)
    # Steps coprime to the list sizes give neighboring ranks different words.
    name = artist * 7 % ARTISTS
    title = (artist * 31 + number * 177) % TITLES
    seconds = 150 + (artist * 37 + number * 101) % 200
    return Song(
        artist=f"{_ADJECTIVES[name // len(_NOUNS)]} {_NOUNS[name % len(_NOUNS)]}",
        title=f"{_VERBS[title // len(_OBJECTS)]} {_OBJECTS[title % len(_OBJECTS)]}",
        length=seconds + ((artist + 13 * number) % 100_000) / 100_000,
    )
