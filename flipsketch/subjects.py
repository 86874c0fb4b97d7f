"""All subjects: how each is drawn, what it can do, and the words for both."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from flipsketch import subjects_animals as animals
from flipsketch import subjects_objects as objects
from flipsketch import subjects_people as people
from flipsketch import subjects_plants as plants
from flipsketch import subjects_vehicles as vehicles
from flipsketch.strokes import Act, Roll, Stroke


class Deed(NamedTuple):
    """One thing that a subject does."""

    motion: str
    """Of the whole: a key of MOTIONS."""
    phrases: tuple[str, ...]
    """Each begins with a verb in its plain form: `flap its wings`."""
    cycles: tuple[float, float]
    """How often its parts go round in a clip, at least and at most."""
    side: str = ""
    """Where it goes, `left` or `right`, if that is part of what it does."""
    is_once: bool = False
    """Its parts do it once, so that it is done neither quickly nor slowly."""


class Subject(NamedTuple):
    draw: Callable[[Roll, Act], list[Stroke]]
    """Strokes in units of about half its size, facing right if it faces a side."""
    nouns: tuple[str, ...]
    """Each with its plural: `fish|fish`."""
    deeds: dict[str, Deed]
    builds: tuple[str, str] = ("", "")
    """Adjectives of the thinnest and the thickest, where there are any."""
    scenery: Literal["ground", "sky", "water", "room"] = "ground"
    foot: complex = 0.9j
    """What it sways on, grows from or hangs by."""
    may_be_mirrored: bool = True


def deed(motion: str, phrases: str, cycles: tuple[float, float] = (2.0, 3.0)) -> Deed:
    return Deed(motion, tuple(phrases.split("|")), cycles)


def once(phrases: str, cycles: tuple[float, float] = (2.0, 3.0)) -> Deed:
    return Deed("stay", tuple(phrases.split("|")), cycles, is_once=True)


def sideways(
    verb: str, phrases: str, cycles: tuple[float, float] = (2.0, 3.0), motion: str = "ahead"
) -> dict[str, Deed]:
    """To the left and to the right; the words for these are added to the phrases."""
    return {
        f"{verb}-{side}": deed(motion, phrases, cycles)._replace(side=side)
        for side in ("left", "right")
    }


SWAY, SPIN = (
    deed("sway", "sway|sway from side to side|sway in the wind"),
    deed("spin", "spin around|spin|turn around"),
)
ROCK = deed("sway", "rock|rock from side to side|sway from side to side")
GROW, SHRINK = (
    deed("grow", "grow|grow bigger|grow larger"),
    deed("shrink", "shrink|get smaller|become smaller"),
)
CLOSER = deed("closer", "come closer|come nearer|approach")
AWAY = deed("away", "move away|go away|get farther away")
SHAKE = deed("shake", "shake|tremble|shake from side to side")
RISE = deed("up", "rise|rise up|float up|float upwards")
SINK = deed("down", "come down|float down|sink slowly")
JUMP = deed("jump", "jump|jump up and down|leap into the air", (1.0, 2.0))
BOUNCE = deed("bounce", "bounce|bounce up and down")

SUBJECTS: dict[str, Subject] = {
    # Animals.
    "bird": Subject(
        animals.bird,
        ("bird|birds",),
        {
            **sideways("fly", "fly|fly off|flap its way", (2.5, 3.5)),
            "flap": deed("stay", "flap its wings|beat its wings|flutter its wings"),
            "fly-up": deed("climb", "take off|fly upwards|soar into the sky", (2.5, 3.5)),
            "hop": deed("jump", "hop up and down|hop"),
        },
        ("slim", "plump"),
        "sky",
    ),
    "fish": Subject(
        animals.fish,
        ("fish|fish",),
        {
            **sideways("swim", "swim|swim along|swim away", (2.5, 3.5)),
            "wag": deed("stay", "wag its tail|move its tail"),
            "dive": deed("descend", "dive|swim down|dive into the deep", (2.5, 3.5)),
        },
        ("slender", "round"),
        "water",
    ),
    "cat": Subject(
        animals.cat,
        ("cat|cats", "kitten|kittens"),
        {
            **sideways("walk", "walk|walk along|stroll"),
            "wag": deed("stay", "wag its tail|wave its tail|swing its tail", (1.5, 2.5)),
            "jump": JUMP,
        },
        ("slim", "fat"),
    ),
    "dog": Subject(
        animals.dog,
        ("dog|dogs", "puppy|puppies"),
        {
            **sideways("run", "run|run along|walk|trot", (2.5, 3.5)),
            "wag": deed("stay", "wag its tail|wag its tail happily", (2.5, 3.5)),
            "jump": JUMP,
        },
        ("thin", "fat"),
    ),
    "rabbit": Subject(
        animals.rabbit,
        ("rabbit|rabbits", "bunny|bunnies"),
        {
            **sideways("hop", "hop|hop along|hop away", (2.0, 3.0), "hop"),
            "wiggle": deed("stay", "wiggle its ears|move its ears"),
            "jump": JUMP,
        },
        ("slim", "chubby"),
    ),
    "turtle": Subject(
        animals.turtle,
        ("turtle|turtles", "tortoise|tortoises"),
        {
            **sideways("crawl", "crawl|walk|plod along", (1.5, 2.5)),
        },
        ("flat", "tall"),
    ),
    "snail": Subject(
        animals.snail,
        ("snail|snails",),
        {
            **sideways("crawl", "crawl|creep|creep along", (1.5, 2.5)),
        },
    ),
    "caterpillar": Subject(
        animals.caterpillar,
        ("caterpillar|caterpillars",),
        {
            **sideways("crawl", "crawl|creep|inch along", (1.5, 2.5)),
            "wriggle": deed("stay", "wriggle|wriggle its body", (1.5, 2.5)),
        },
        ("thin", "fat"),
    ),
    "snake": Subject(
        animals.snake,
        ("snake|snakes",),
        {
            **sideways("slither", "slither|slither along|crawl", (1.5, 2.5)),
            "wriggle": deed("stay", "wriggle|writhe", (1.5, 2.5)),
        },
        ("thin", "thick"),
    ),
    "penguin": Subject(
        animals.penguin,
        ("penguin|penguins",),
        {
            **sideways("waddle", "waddle|walk|waddle along", (2.0, 3.0), "waddle"),
            "flap": deed("stay", "flap its wings|flap its flippers|wave its flippers"),
            "jump": JUMP,
        },
        ("slim", "fat"),
    ),
    "crab": Subject(
        animals.crab,
        ("crab|crabs",),
        {
            **sideways("scuttle", "scuttle|crawl|walk sideways"),
            "snap": deed("stay", "snap its claws|open and close its claws", (1.5, 2.5)),
        },
        ("flat", "round"),
        "water",
    ),
    "spider": Subject(
        animals.spider,
        ("spider|spiders",),
        {
            "down": once("come down on its thread|lower itself on a thread|descend on its thread"),
            "climb": once("climb up its thread|climb its thread"),
            "swing": deed("stay", "swing on its thread|swing from a thread", (1.2, 2.0)),
        },
        ("", "fat"),
        "room",
    ),
    "butterfly": Subject(
        animals.butterfly,
        ("butterfly|butterflies",),
        {
            **sideways("fly", "fly|flutter|flutter along", (2.5, 3.5), "flutter"),
            "flap": deed("stay", "flap its wings|open and close its wings|beat its wings"),
            "up": deed("up", "flutter upwards|fly up|rise", (2.5, 3.5)),
            "roam": deed("roam", "flutter about|fly around", (2.5, 3.5)),
            "closer": deed("closer", "come closer|fly nearer|approach", (2.5, 3.5)),
        },
        ("narrow-winged", "broad-winged"),
        "sky",
    ),
    "bee": Subject(
        animals.bee,
        ("bee|bees", "bumblebee|bumblebees"),
        {
            **sideways("fly", "fly|buzz|buzz along", (3.2, 4.2), "flutter"),
            "roam": deed("roam", "buzz about|fly around", (3.2, 4.2)),
            "hover": deed("stay", "flap its wings|beat its wings", (2.2, 3.2)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "duck": Subject(
        animals.duck,
        ("duck|ducks",),
        {
            **sideways("swim", "swim|paddle|swim along"),
            "nod": deed("stay", "nod its head|bob its head"),
        },
        ("slim", "fat"),
        "water",
    ),
    "whale": Subject(
        animals.whale,
        ("whale|whales",),
        {
            **sideways("swim", "swim|swim along|swim away", (1.5, 2.5)),
            "spout": deed("stay", "spout water|blow water into the air", (1.5, 2.5)),
        },
        ("slim", "fat"),
        "water",
    ),
    "jellyfish": Subject(
        animals.jellyfish,
        ("jellyfish|jellyfish",),
        {
            "up": deed("up", "swim up|rise|float upwards"),
            "down": deed("down", "sink|float down"),
            "pulse": deed("stay", "wave its tentacles|pulse|open and close"),
            **sideways("drift", "drift|float"),
        },
        ("narrow", "wide"),
        "water",
    ),
    # People, and what looks like them.
    "person": Subject(
        people.person,
        ("person|people", "child|children"),
        {
            **sideways("walk", "walk|walk along|stroll"),
            **sideways("run", "run|run along|jog", (2.5, 3.5)),
            "wave": deed("stay", "wave|wave a hand|wave hello"),
            "jump": JUMP,
            "cheer": deed("stay", "cheer|raise both arms|wave both arms", (1.5, 2.5)),
        },
        ("thin", "stout"),
    ),
    "dancer": Subject(
        people.dancer,
        ("dancer|dancers", "ballerina|ballerinas"),
        {
            "dance": deed("stay", "dance|dance on the spot", (1.5, 2.5)),
            "jump": deed("jump", "leap|jump into the air|leap up and down"),
            **sideways("dance", "dance|dance along", (1.5, 2.5)),
        },
        ("", ""),
        "room",
    ),
    "swing": Subject(
        people.swing,
        ("child on a swing|children on swings", "person on a swing|people on swings"),
        {
            "swing": deed("stay", "swing back and forth|swing to and fro|swing", (1.2, 2.0)),
        },
    ),
    "snowman": Subject(
        people.snowman,
        ("snowman|snowmen",),
        {
            "wave": deed("stay", "wave|wave an arm|wave hello"),
            "melt": deed("shrink", "melt away|melt|shrink"),
            "grow": GROW,
            "sway": ROCK,
            "jump": JUMP,
        },
        ("slim", "fat"),
    ),
    "face": Subject(
        people.face,
        ("face|faces",),
        {
            "blink": deed("stay", "blink|blink its eyes|open and close its eyes", (1.6, 2.6)),
            "wink": deed("stay", "wink|wink an eye", (1.2, 2.2)),
            "smile": once("begin to smile|start to smile|cheer up"),
            "talk": deed("stay", "talk|speak|open and close its mouth"),
            "closer": CLOSER,
            "shake": deed("shake", "shake from side to side|shake"),
        },
        ("thin", "round"),
        "room",
    ),
    "robot": Subject(
        people.robot,
        ("robot|robots",),
        {
            **sideways("walk", "walk|march|walk along"),
            "wave": deed("stay", "wave|wave an arm|wave hello"),
            "dance": deed("stay", "dance|swing its arms", (1.5, 2.5)),
        },
        ("thin", "wide"),
        "room",
    ),
    # Plants.
    "flower": Subject(
        plants.flower,
        ("flower|flowers",),
        {
            "open": once("open its petals|open|bloom|unfold its petals"),
            "close": once("close its petals|close|fold its petals"),
            "sway": SWAY,
            "grow": GROW,
        },
        ("thin-petalled", "broad-petalled"),
        foot=0.95j,
    ),
    "tree": Subject(
        plants.tree,
        ("tree|trees",),
        {
            "sway": deed("sway", "sway in the wind|sway|bend in the wind"),
            "grow": GROW,
            "shake": deed("shake", "shake|shake in the storm"),
        },
        ("slender", "broad"),
    ),
    "leaf": Subject(
        plants.leaf,
        ("leaf|leaves",),
        {
            "fall": deed("float-down", "fall|fall to the ground|float down|drift down"),
            "spin": SPIN,
            "sway": SWAY,
        },
        ("narrow", "broad"),
        "sky",
        0.85j,
    ),
    "mushroom": Subject(
        plants.mushroom,
        ("mushroom|mushrooms", "toadstool|toadstools"),
        {
            "grow": deed("grow", "grow|grow out of the ground|grow bigger"),
            "shrink": SHRINK,
            "sway": ROCK,
            "jump": deed("jump", "jump up and down|hop"),
        },
        ("slender", "thick"),
    ),
    "cactus": Subject(
        plants.cactus,
        ("cactus|cacti",),
        {
            "wave": deed("stay", "wave its arms|move its arms"),
            "dance": deed("sway", "dance|sway from side to side"),
            "grow": GROW,
        },
        ("thin", "thick"),
        "room",
    ),
    # Vehicles.
    "car": Subject(
        vehicles.car,
        ("car|cars",),
        {
            **sideways("drive", "drive|drive along|roll|drive away", (3, 4)),
        },
        ("low", "tall"),
    ),
    "lorry": Subject(
        vehicles.lorry,
        ("truck|trucks", "lorry|lorries"),
        {
            **sideways("drive", "drive|drive along|roll", (3, 4)),
        },
        ("low", "tall"),
    ),
    "train": Subject(
        vehicles.train,
        ("train|trains", "steam engine|steam engines"),
        {
            **sideways("drive", "drive|roll|steam along"),
        },
        ("", ""),
    ),
    "bicycle": Subject(
        vehicles.bicycle,
        ("bicycle|bicycles", "bike|bikes"),
        {
            **sideways("roll", "roll|roll along|go"),
        },
        ("low", "tall"),
    ),
    "boat": Subject(
        vehicles.boat,
        ("sailing boat|sailing boats", "sailboat|sailboats"),
        {
            **sideways("sail", "sail|sail along|sail away", (1.5, 2.5)),
            "rock": deed("stay", "rock on the waves|sway on the water", (1.5, 2.5)),
            "bob": deed("jump", "bob up and down|go up and down on the waves", (1.5, 2.5)),
        },
        ("", ""),
        "water",
        0.6j,
    ),
    "ship": Subject(
        vehicles.steamer,
        ("ship|ships", "steamship|steamships"),
        {
            **sideways("sail", "sail|sail along|steam", (1.5, 2.5)),
            "rock": deed("stay", "rock on the waves|sway on the water", (1.5, 2.5)),
        },
        ("", ""),
        "water",
        0.5j,
    ),
    "submarine": Subject(
        vehicles.submarine,
        ("submarine|submarines",),
        {
            **sideways("dive", "move|travel|go", (1.5, 2.5)),
            "down": deed("down", "dive|sink|dive down", (1.5, 2.5)),
            "up": deed("up", "surface|rise|come up", (1.5, 2.5)),
        },
        ("slim", "fat"),
        "water",
    ),
    "rocket": Subject(
        vehicles.rocket,
        ("rocket|rockets",),
        {
            "launch": deed("up", "take off|fly up|rise into the sky|blast off", (3, 4)),
            "land": deed("down", "land|come down|fly down", (3, 4)),
            "shake": deed("shake", "shake|tremble", (3, 4)),
            "away": deed("away", "fly away|move away", (3, 4)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "aeroplane": Subject(
        vehicles.aeroplane,
        ("aeroplane|aeroplanes", "plane|planes"),
        {
            **sideways("fly", "fly|fly along|fly away", (3.2, 4.2)),
            "take-off": deed("climb", "take off|climb|climb into the sky", (3.2, 4.2)),
            "land": deed("descend", "land|come down|descend", (3.2, 4.2)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "helicopter": Subject(
        vehicles.helicopter,
        ("helicopter|helicopters",),
        {
            **sideways("fly", "fly|fly along", (3.2, 4.2)),
            "up": deed("up", "rise|take off|fly upwards", (3.2, 4.2)),
            "down": deed("down", "land|come down|descend", (3.2, 4.2)),
        },
        ("slim", "fat"),
        "sky",
    ),
    "balloon": Subject(
        vehicles.balloon,
        ("hot-air balloon|hot-air balloons", "balloon|balloons"),
        {
            "up": RISE,
            "down": SINK,
            **sideways("drift", "drift|float|drift along", (1.2, 2.0)),
            "closer": CLOSER,
            "away": deed("away", "float away|move away|get farther away"),
        },
        ("slim", "fat"),
        "sky",
    ),
    "saucer": Subject(
        vehicles.saucer,
        ("flying saucer|flying saucers", "ufo|ufos"),
        {
            **sideways("fly", "fly|glide|float", (1.5, 2.5), "flutter"),
            "land": deed("down", "land|come down|descend", (1.5, 2.5)),
            "roam": deed("roam", "fly around|fly about", (1.5, 2.5)),
            "closer": CLOSER,
        },
        ("flat", "thick"),
        "sky",
    ),
    "glider": Subject(
        vehicles.glider,
        ("paper plane|paper planes",),
        {
            **sideways("fly", "fly|glide|sail through the air"),
            "loop": deed("loop", "loop the loop|fly a loop|turn a somersault"),
            "down": deed("descend", "glide down|come down|descend"),
        },
        ("", ""),
        "sky",
    ),
    # Things.
    "clock": Subject(
        objects.clock,
        ("clock|clocks",),
        {
            "turn": deed("stay", "turn its hands|move its hands", (0.8, 1.3)),
            "shake": deed("shake", "ring and shake|shake|ring"),
            "bounce": BOUNCE,
            "closer": CLOSER,
        },
        ("", ""),
        "room",
        may_be_mirrored=False,
    ),
    "candle": Subject(
        objects.candle,
        ("candle|candles",),
        {
            "flicker": deed("stay", "flicker|burn with a flickering flame", (2.5, 3.5)),
            "burn": once("burn down|get shorter as it burns", (2.5, 3.5)),
        },
        ("thin", "thick"),
        "room",
    ),
    "umbrella": Subject(
        objects.umbrella,
        ("umbrella|umbrellas",),
        {
            "open": once("open|unfold|open up"),
            "close": once("close|fold up|shut"),
            "sway": SWAY,
            "fall": deed("float-down", "float down|fall slowly|sail down"),
        },
        ("narrow", "wide"),
        "sky",
    ),
    "kite": Subject(
        objects.kite,
        ("kite|kites",),
        {
            "wave": deed("stay", "wave its tail|flutter in the wind", (1.5, 2.5)),
            "up": deed("up", "rise|fly up|climb into the sky", (1.5, 2.5)),
            **sideways("fly", "fly|drift|glide", (1.5, 2.5)),
            "sway": SWAY,
        },
        ("narrow", "wide"),
        "sky",
    ),
    "windmill": Subject(
        objects.windmill,
        ("windmill|windmills",),
        {
            "turn": deed("stay", "turn in the wind|turn its sails|turn", (1.4, 2.4)),
        },
        ("slender", "broad"),
    ),
    "pinwheel": Subject(
        objects.fan,
        ("pinwheel|pinwheels", "toy windmill|toy windmills"),
        {
            "spin": deed("stay", "spin in the wind|spin|turn", (1.4, 2.6)),
            "sway": SWAY,
            **sideways("move", "move and spin|spin and move", (1.4, 2.6)),
        },
        ("", ""),
        "sky",
    ),
    "ball": Subject(
        objects.ball,
        ("ball|balls",),
        {
            "bounce": BOUNCE,
            **sideways("roll", "roll|roll along|roll away"),
            "fall": deed("fall", "fall|drop|fall down"),
            "spin": SPIN,
            "closer": deed("closer", "come closer|fly nearer|come nearer"),
            "away": deed("away", "move away|fly away"),
        },
    ),
    "pendulum": Subject(
        objects.pendulum,
        ("pendulum|pendulums",),
        {
            "swing": deed("stay", "swing|swing back and forth|swing from side to side", (1.2, 2.2)),
        },
        ("", ""),
        "room",
    ),
    "lamp": Subject(
        objects.lamp,
        ("lamp|lamps",),
        {
            "swing": deed("stay", "swing|swing from side to side|swing to and fro", (1.2, 2.2)),
            "blink": deed("stay", "blink|go on and off|flash", (2.2, 3.4)),
        },
        ("narrow", "wide"),
        "room",
    ),
    "top": Subject(
        objects.top,
        ("spinning top|spinning tops", "toy top|toy tops"),
        {
            "spin": deed("stay", "spin and wobble|spin|turn round and round", (1.6, 2.6)),
            **sideways("spin", "spin and move|spin its way", (1.6, 2.6)),
        },
        ("slim", "fat"),
        "room",
    ),
    "bell": Subject(
        objects.bell,
        ("bell|bells",),
        {
            "ring": deed("stay", "ring|swing and ring|swing from side to side", (1.4, 2.4)),
            "shake": SHAKE,
            "closer": CLOSER,
        },
        ("narrow", "wide"),
        "room",
    ),
    "flag": Subject(
        objects.flag,
        ("flag|flags",),
        {
            "wave": deed("stay", "wave in the wind|flutter in the wind|wave", (1.5, 2.5)),
        },
        ("narrow", "broad"),
        "sky",
    ),
    "scissors": Subject(
        objects.scissors,
        ("pair of scissors|pairs of scissors",),
        {
            "cut": deed("stay", "open and close|snip|cut", (2.0, 3.0)),
            **sideways("cut", "cut its way|move and snip", (2.0, 3.0)),
        },
        ("", ""),
        "room",
    ),
    "heart": Subject(
        objects.heart,
        ("heart|hearts",),
        {
            "beat": deed("stay", "beat|pulse|throb"),
            "up": RISE,
            "grow": GROW,
            "spin": SPIN,
            "bounce": BOUNCE,
        },
        ("narrow", "wide"),
        "room",
    ),
    "cup": Subject(
        objects.cup,
        ("cup of tea|cups of tea", "cup of coffee|cups of coffee"),
        {
            "steam": deed("stay", "steam|give off steam", (1.5, 2.5)),
            "shake": SHAKE,
            **sideways("slide", "slide|slide along", (1.5, 2.5)),
        },
        ("narrow", "wide"),
        "room",
    ),
    "book": Subject(
        objects.book,
        ("book|books",),
        {
            "turn": deed("stay", "turn its pages|turn a page", (1.0, 1.99)),
            "closer": CLOSER,
        },
        ("narrow", "wide"),
        "room",
    ),
    "jack-in-the-box": Subject(
        objects.jack_in_the_box,
        ("jack-in-the-box|jack-in-the-boxes",),
        {
            "pop": once("pop up|jump out of its box|pop out"),
            "shake": SHAKE,
            "wobble": deed("stay", "wobble on its spring|sway on its spring", (1.5, 2.5)),
        },
        ("", ""),
        "room",
    ),
    # Weather, sky and fire.
    "sun": Subject(
        plants.sun,
        ("sun|suns",),
        {
            "rise": deed("up", "rise|come up|rise into the sky"),
            "set": deed("down", "set|go down|sink"),
            "shine": deed("stay", "shine|send out its rays", (1.5, 2.5)),
            "spin": SPIN,
        },
        ("", ""),
        "sky",
    ),
    "cloud": Subject(
        plants.cloud,
        ("cloud|clouds",),
        {
            "rain": deed("stay", "rain|pour down rain|shed rain", (1.6, 2.6)),
            **sideways("drift", "drift|float|move", (1.2, 2.0)),
            "grow": deed("grow", "grow|get bigger|grow larger"),
        },
        ("flat", "tall"),
        "sky",
        0j,
    ),
    "storm": Subject(
        plants.storm,
        ("thundercloud|thunderclouds", "storm cloud|storm clouds"),
        {
            "flash": deed("stay", "flash with lightning|shoot lightning", (2.4, 3.6)),
            **sideways("drift", "drift and flash|move and flash", (2.4, 3.6)),
        },
        ("flat", "tall"),
        "sky",
    ),
    "snowflake": Subject(
        plants.snowflake,
        ("snowflake|snowflakes",),
        {
            "fall": deed("float-down", "fall|float down|drift down"),
            "spin": SPIN,
            "closer": CLOSER,
            "roam": deed("roam", "dance in the air|float about"),
        },
        ("", ""),
        "sky",
    ),
    "moon": Subject(
        plants.moon,
        ("moon|moons",),
        {
            "rise": deed("up", "rise|come up|climb into the sky"),
            "set": deed("down", "set|go down|sink"),
            "twinkle": deed("stay", "shine beside twinkling stars|watch the stars twinkle"),
            "rock": ROCK,
        },
        ("slim", "thick"),
        "sky",
    ),
    "star": Subject(
        plants.star,
        ("star|stars",),
        {
            "twinkle": deed("stay", "twinkle|sparkle|glitter"),
            "fall": deed("fall", "fall|fall down|drop from the sky"),
            "spin": SPIN,
            "jump": deed("jump", "jump up and down|hop"),
            "away": AWAY,
        },
        ("thin", "chubby"),
        "sky",
    ),
    "fire": Subject(
        plants.fire,
        ("fire|fires", "campfire|campfires"),
        {
            "flicker": deed("stay", "flicker|burn|blaze", (2.4, 3.4)),
            "grow": deed("grow", "grow|flare up|get bigger", (2.4, 3.4)),
            "shrink": deed("shrink", "die down|get smaller|shrink", (2.4, 3.4)),
        },
        ("narrow", "broad"),
        foot=0.7j,
    ),
}


def motions_of(subject: str) -> tuple[str, ...]:
    """Return the names of what a subject can do; ValueError if there is no such subject."""
    if subject not in SUBJECTS:
        raise ValueError(f"there is no subject {subject!r}; there are {', '.join(SUBJECTS)}")
    return tuple(SUBJECTS[subject].deeds)
