"""A module of the site: its classes are what pickles and envelopes name."""
import dataclasses
import enum


class Order(object):
    """An order of the warehouse."""

    def __init__(self, number, lines):
        self.number, self.lines = number, lines

    def __eq__(self, other):
        return isinstance(other, Order) and self.__dict__ == other.__dict__

    def __hash__(self):
        return hash(self.number)


class Colour(enum.Enum):
    """A colour of a parcel."""

    RED = 'red'
    BLUE = 'blue'


@dataclasses.dataclass
class Parcel:
    """A class that Airflow itself can serialize, by its name."""

    number: str
    weight: float
