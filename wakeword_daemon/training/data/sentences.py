"""What people say around a wake word: commands, everyday sentences, and sentences with the word.

`SENTENCES` are used as they are. The others are made from templates with slots, which gives
thousands of different ones.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

SENTENCES = (
    "what time is it", "turn off the lights in the kitchen", "set a timer for ten minutes",
    "play some music please", "how is the weather tomorrow", "call my brother",
    "add milk and eggs to the shopping list", "stop", "pause the movie", "good morning",
    "where did you put the keys", "I think we should leave now", "the train was late again",
    "do you want another cup of coffee", "she said it would rain all day", "never mind",
    "open the garage door", "read me the news", "remind me to water the plants",
    "that is not what I meant", "we had dinner at the new restaurant", "who won the game",
    "the children are playing in the garden", "can you hear me", "make it a little louder",
    "he works at the harbour", "nobody knows how this machine works", "thank you very much",
    "there is a service charge of five percent", "the service was terrible",
    "my car needs a new battery", "we should travel more often", "just a minute",
    "I have never seen such a large dog", "the market opens at nine", "give it to her",
    "put the glass on the table", "did you see the view from the top", "mirror mirror on the wall",
    "that was a smart move", "snow is falling in the mountains", "the boy kicked the ball",
    "computers are everywhere", "the commuter train leaves at six", "a lecture about history",
    "my sister lives in Texas", "let us ask her", "all extra costs are yours",
    "the harvest was good this year", "charge it to my account", "his jar is full of honey",
    "dress warmly it is cold", "the artist painted a jar of flowers", "she is an alto singer",
    "a lexical problem", "the review class starts soon", "I knew glass would break",
    "the smell of fresh bread", "turn left at the second corner", "what is in the box",
    "it depends on how you look at it", "we are going to the beach this weekend",
    "the meeting has been moved to Thursday", "could you speak up a bit", "yes of course",
    "no thanks", "see you later", "I would rather stay at home", "how much does it cost",
    "the answer is forty two", "two hundred and sixty seven", "one three seven nine four",
    "the quick brown fox jumps over the lazy dog", "peter piper picked a peck of peppers",
    "it was the best thing that ever happened to us", "lock the front door",
    "please dim the bedroom lamp to twenty percent", "is anybody home", "come here quickly",
)  # fmt: skip

_SLOTS: dict[str, tuple[str, ...]] = {
    # What orders are about.
    "room": (
        "kitchen", "bedroom", "living room", "bathroom", "hallway", "garage", "office", "basement",
        "dining room", "nursery", "attic", "guest room", "garden", "laundry", "upstairs hall",
    ),
    "lamp": (
        "light", "lights", "lamp", "ceiling light", "reading lamp", "desk lamp", "spotlights",
        "fairy lights", "porch light", "night light", "floor lamp", "outside lights",
    ),
    "device": (
        "television", "radio", "heating", "air conditioner", "fan", "coffee machine", "oven",
        "dishwasher", "washing machine", "printer", "router", "kettle", "vacuum", "sprinkler",
        "speaker", "projector", "heater", "humidifier", "alarm", "doorbell", "dryer", "stereo",
    ),
    "cover": (
        "blinds", "curtains", "shutters", "garage door", "front door", "gate", "back door",
        "window", "skylight", "awning",
    ),
    "color": (
        "red", "blue", "green", "warm white", "purple", "orange", "yellow", "pink", "cold white",
    ),
    "degrees": (
        "eighteen", "nineteen", "twenty", "twenty one", "twenty two", "sixty five", "seventy",
        "seventy two", "sixty eight",
    ),
    "percent": (
        "five", "ten", "fifteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy five",
        "eighty", "ninety", "a hundred",
    ),
    "count": (
        "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
        "fifteen", "twenty", "twenty five", "thirty", "forty five", "fifty", "sixty", "ninety",
    ),
    "unit": ("seconds", "minutes", "minutes", "minutes", "hours"),
    "hour": (
        "six", "half past six", "seven", "seven fifteen", "a quarter to eight", "eight thirty",
        "nine", "ten", "noon", "two", "five to three", "four forty", "midnight", "eleven twenty",
    ),
    "day": (
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "tomorrow",
        "today", "tonight", "this weekend", "next week", "the day after tomorrow",
    ),
    "city": (
        "London", "Paris", "Chicago", "Berlin", "Madrid", "Boston", "Tokyo", "Dublin", "Toronto",
        "Sydney", "Rome", "Vienna", "Denver", "Oslo", "Seattle", "Lisbon", "Cairo", "Melbourne",
        "Phoenix", "Glasgow", "Mumbai", "Houston", "Bristol", "Kansas City", "Rotterdam",
    ),
    "name": (
        "Anna", "Peter", "my mother", "Daniel", "Grandma", "Thomas", "Emily", "my brother",
        "the office", "Doctor Miller", "Julia", "Robert", "my sister", "Maria", "David", "Sophie",
        "Mister Lee", "Hannah", "Kevin", "the school", "Oliver", "Fatima", "Ivan", "Grace",
        "Samuel", "Charlotte", "Ahmed", "Lucy", "Harvey", "Marvin", "Alexander", "Travis",
    ),
    "grocery": (
        "milk", "eggs", "bread", "butter", "apples", "coffee", "toilet paper", "rice", "tomatoes",
        "a dozen bananas", "cheese", "dog food", "onions", "olive oil", "batteries", "flour",
        "dish soap", "yogurt", "cereal", "chicken", "carrots", "toothpaste", "light bulbs",
    ),
    "music": (
        "some jazz", "the Beatles", "classical music", "my morning playlist", "something quiet",
        "rock music", "the latest album", "a lullaby", "dance music", "country songs", "Mozart",
        "my favorites", "the radio", "an audiobook", "the news", "a podcast about history",
        "rain sounds", "Christmas songs", "piano music", "that song again",
        "hits from the eighties",
    ),
    "chore": (
        "take out the trash", "call the dentist", "water the plants", "feed the cat",
        "buy a birthday present", "pick up the kids", "pay the rent", "take my medicine",
        "check the oven", "send the report", "charge the car", "book the flights", "walk the dog",
        "turn in my homework", "bring the umbrella", "renew my passport", "lock the back door",
    ),
    "fact": (
        "how tall is Mount Everest", "who wrote Hamlet", "what is the capital of Australia",
        "how far is it to the moon", "when was the telephone invented",
        "how many ounces in a pound", "what does serendipity mean", "how do you spell necessary",
        "who won the game last night", "what is fifteen times twelve", "how old is the president",
        "what is the square root of two", "when does the sun set {day}",
        "how long do I boil an egg", "what's on television tonight",
        "is the supermarket still open", "how is traffic to {city}", "what's the exchange rate",
        "how do you say thank you in Japanese", "what is the population of {city}",
        "who was the first person on the moon", "how many calories are in an apple",
    ),
    "please": ("", "", "", "", "", " please", " now", " for me", " right away", " again"),
    "lead": (
        "", "", "", "", "", "please ", "can you ", "could you ", "would you ", "I want you to ",
    ),
    "animal": (
        "horse", "rabbit", "squirrel", "parrot", "goldfish", "hedgehog", "spider", "swan", "wolf",
        "kitten", "puppy", "donkey", "butterfly", "elephant", "penguin", "camel", "mosquito", "owl",
        "tortoise", "fox", "salmon", "giraffe", "beetle", "sparrow", "jaguar", "lynx", "octopus",
    ),
    "food": (
        "pancakes", "lasagna", "an omelet", "mushroom soup", "a sandwich", "garlic bread", "curry",
        "strawberry jam", "roast potatoes", "pickled cabbage", "sushi", "a pretzel", "ginger tea",
        "lemonade", "vegetable stew", "chocolate pudding", "spinach", "noodles", "grilled fish",
        "pumpkin pie", "oatmeal", "blackberries", "almonds", "vinegar", "cucumber salad", "walnuts",
    ),
    "job": (
        "carpenter", "journalist", "pharmacist", "electrician", "judge", "librarian", "sailor",
        "translator", "hairdresser", "detective", "astronaut", "shepherd", "accountant", "chemist",
        "architect", "firefighter", "tailor", "farmer", "surgeon", "musician", "postman", "priest",
    ),
    "clothes": (
        "scarf", "sweater", "raincoat", "dress", "uniform", "slippers", "helmet", "gloves", "belt",
        "costume", "jeans", "necktie", "sandals", "pajamas", "apron", "swimsuit", "vest", "hood",
    ),
    "nature": (
        "forest", "valley", "desert", "glacier", "meadow", "waterfall", "volcano", "swamp", "cliff",
        "island", "canyon", "orchard", "thunder", "avalanche", "moonlight", "sunset", "fog", "tide",
        "rainbow", "drought", "earthquake", "horizon", "creek", "pebble", "hurricane", "blizzard",
    ),
    "part": (
        "knee", "shoulder", "elbow", "stomach", "ankle", "throat", "wrist", "forehead", "thumb",
        "spine", "cheek", "jaw", "eyebrow", "tooth", "lung", "heel", "chest", "finger", "neck",
    ),
    "abstract": (
        "patience", "freedom", "gravity", "democracy", "courage", "evolution", "religion",
        "fashion", "insurance", "mathematics", "memory", "grammar", "silence", "pollution",
        "philosophy", "traffic", "inflation", "loyalty", "luck", "curiosity", "biology", "justice",
        "marriage", "advertising", "happiness", "friendship", "engineering", "knowledge",
        "electricity",
    ),
    "adverb": (
        "slowly", "suddenly", "carefully", "secretly", "eventually", "quietly", "hardly", "usually",
        "perfectly", "accidentally", "officially", "reluctantly", "immediately", "probably",
        "constantly", "gently", "proudly", "obviously", "twice", "loudly", "barely", "gradually",
    ),
    "action": (
        "jumped over the fence", "whispered something", "shook his head", "opened the envelope",
        "swam across the lake", "climbed the stairs", "refused to answer", "wrote a poem", "smiled",
        "fell asleep", "crossed the border", "lit a candle", "changed the subject",
        "burst a balloon", "missed the bus", "laughed at the joke", "signed the petition",
        "turned around", "sneezed", "apologized", "hurried home", "chopped the wood", "stretched",
        "pretended to listen", "invented an excuse", "poured the juice", "wiped the floor",
        "lifted the lid", "sighed", "knocked on the wall", "folded the towels", "peeled an orange",
        "threw the dice", "waved",
    ),
    "institution": (
        "museum", "courthouse", "theater", "university", "embassy", "factory", "monastery", "zoo",
        "stadium", "gallery", "pharmacy", "post office", "parliament", "cinema", "cathedral",
        "bookshop", "kindergarten", "gas station", "cemetery", "casino", "warehouse", "prison",
    ),
    # What other sentences are about.
    "who": (
        "my neighbor", "the teacher", "our manager", "her grandfather", "the tall girl", "his wife",
        "the plumber", "a friend of mine", "the old captain", "your cousin", "the nurse",
        "the whole family", "somebody", "the new lawyer", "their coach", "the baker", "my uncle",
        "the mayor", "a young soldier", "the landlord", "{name}", "the engineer", "the waiter",
        "one of the twins", "the gardener", "this professor", "the butcher", "an actor",
    ),
    "thing": (
        "a bicycle", "the letter", "an old guitar", "the blue jacket", "a wooden box", "the ladder",
        "his glasses", "a jar of honey", "the newspaper", "a mirror", "the car keys",
        "a snow shovel", "the vase", "her phone", "a bottle of wine", "the contract",
        "a pair of boots", "the map", "an umbrella", "the suitcase", "a bag of marbles",
        "the smaller one", "a harp", "the charger", "a glass of water", "the calculator",
        "a picture frame", "the violin", "a leather sofa", "the hammer", "three tickets",
        "a slice of cake", "the package", "the laptop", "a boiler", "the service manual",
        "a screwdriver", "the review", "a blanket",
    ),
    "place": (
        "at the station", "in the park", "behind the house", "near the river", "at school",
        "in the village", "on the roof", "at the market", "in the mountains", "by the window",
        "at the harbor", "in the library", "across the street", "at the dentist", "in {city}",
        "under the bridge", "in the garage", "at the airport", "on the beach", "in the elevator",
        "next to the bakery", "at my parents' house", "in the hospital", "at the corner shop",
    ),
    "when": (
        "yesterday", "last night", "this morning", "two weeks ago", "on {day}", "after lunch",
        "in the summer", "before dinner", "at {hour}", "a few years ago", "every single day",
        "in nineteen eighty four", "during the storm", "while it was snowing", "once a month",
        "right after the meeting", "as soon as possible", "at the end of the month", "in March",
    ),
    "did": (
        "found", "sold", "dropped", "painted", "forgot", "bought", "borrowed", "repaired", "lost",
        "carried", "wanted", "described", "hid", "broke", "ordered", "cleaned", "noticed",
        "delivered", "returned", "admired", "packed", "stole", "mentioned", "needed", "replaced",
    ),
    "adjective": (
        "strange", "expensive", "beautiful", "terrible", "smart", "quiet", "difficult",
        "ridiculous", "marvelous", "slow", "clever", "dangerous", "comfortable", "ordinary",
        "jealous", "nervous", "careful", "complicated", "enormous", "fresh", "honest", "generous",
        "alert", "similar",
    ),
    "topic": (
        "politics", "the weather", "football", "the new bridge", "her job", "the holidays",
        "artificial intelligence", "gardening", "the budget", "that television series", "chess",
        "the school play", "climate change", "their wedding", "the harvest", "space travel",
        "the commuter trains", "the electric bill", "old movies", "the election", "jazz",
    ),
    "doing": (
        "playing chess", "reading the newspaper", "baking bread", "waiting for the bus",
        "looking out of the window", "talking about {topic}", "climbing a tree", "washing the car",
        "learning to drive", "arguing with {who}", "fixing the roof", "practicing the violin",
        "singing in the shower", "shoveling snow", "cooking dinner", "painting the fence",
    ),
    "reason": (
        "because it was raining", "although nobody asked", "since the shops were closed",
        "because the train was late", "even though it was expensive",
        "so that we could leave early", "because of the noise", "before anybody noticed",
        "unless something changes", "if the weather stays like this",
        "while the others were asleep", "and then left", "but it didn't help", "as far as I know",
        "and everybody laughed", "which was a surprise",
    ),
    "number": (
        "one hundred and seven", "three thousand", "forty two", "two and a half", "nineteen",
        "six point four", "a million", "zero", "sixty eight percent", "one third", "eleven hundred",
        "seven seven three", "nine one four two", "thirty six", "double four eight", "a dozen",
    ),
}  # fmt: skip

_ORDERS = (
    "{lead}turn on the {lamp}{please}", "{lead}turn off the {lamp} in the {room}{please}",
    "turn the {room} {lamp} off{please}", "{lead}switch on the {device}{please}", "lights off",
    "{lead}switch the {device} off{please}", "turn on the {room} {lamp}", "turn up the {device}",
    "{lead}dim the {room} {lamp} to {percent} percent", "make the {room} a little brighter",
    "set the {lamp} to {color}", "{lead}open the {cover}{please}", "close the {cover}{please}",
    "is the {cover} closed", "did I leave the {device} on", "{lead}set the heating to {degrees}",
    "set the temperature in the {room} to {degrees} degrees", "it's too cold in the {room}",
    "what's the temperature in the {room}", "{lead}start the {device}{please}", "good night",
    "{lead}set a timer for {count} {unit}{please}", "set an alarm for {hour}", "stop the alarm",
    "{lead}wake me up at {hour} {day}", "how much time is left on the timer", "cancel the timer",
    "add {count} {unit} to the timer", "snooze for {count} minutes", "start a stopwatch",
    "{lead}remind me to {chore} {day}", "remind me at {hour} to {chore}", "what time is it",
    "{lead}add {grocery} to the shopping list", "put {grocery} and {grocery} on my list",
    "what's on my shopping list", "take {grocery} off the list", "what's on my calendar {day}",
    "add a meeting with {name} {day} at {hour}", "do I have any appointments {day}",
    "what's the weather {day}", "what's the weather like in {city}", "will it rain {day}",
    "do I need an umbrella {day}", "how cold is it outside", "is it going to snow {day}",
    "{lead}play {music}{please}", "play {music} in the {room}", "pause", "stop the music", "resume",
    "next song", "skip this one", "volume up", "turn it down a bit", "set the volume to {count}",
    "what song is this", "louder", "mute the {device}", "put on {music}", "play it in the {room}",
    "{lead}call {name}{please}", "{lead}send a message to {name}", "tell {name} I'll be late",
    "text {name} that dinner is at {hour}", "answer the phone", "read my messages", "hang up",
    "{fact}", "{fact}", "{fact}", "tell me a joke", "what's the news {day}", "never mind",
    "where is my phone", "is anyone at the {cover}", "show me the camera in the {room}",
    "lock the {cover}", "unlock the {cover}{please}", "arm the alarm system", "I'm leaving",
    "translate good morning into French", "what is {number} divided by {count}", "flip a coin",
    "how long does it take to get to {city}", "find a pizza place near me",
    "book a table for {count}", "who is at the door", "run the {device} at {hour}",
    "turn everything off", "movie time", "start the vacuum in the {room}", "how do I get {place}",
    "what did {name} say",
)  # fmt: skip

_EVERYDAY = (
    "{who} {did} {thing} {when}", "{who} {did} {thing} {place} {reason}", "I {did} {thing} {place}",
    "{when} {who} was {doing}", "we were {doing} {reason}", "have you ever {did} {thing} {place}",
    "{who} says {topic} is {adjective}", "I don't think {thing} was {adjective}, to be honest",
    "do you know why {who} {did} {thing}", "nobody talks about {topic} anymore",
    "{thing} is {place}, next to {thing}", "there were {number} people {place} {when}",
    "the answer is {number}, not {number}", "it costs {number} dollars {reason}",
    "she asked me about {topic}, and I told her it was {adjective}", "they live {place} in {city}",
    "if you see {who}, tell them that {thing} is {place}", "I have never been to {city}",
    "my number is {number}, {number}", "{city} is more {adjective} than {city}",
    "we should talk about {topic} {when}", "what a {adjective} idea", "{who} is always {doing}",
    "could you bring me {thing} from the {room}", "the {device} in the {room} is broken again",
    "the {color} one or the {color} one", "{name} and {name} are {doing} {place}",
    "I remember {doing} with {who} {when}", "he gave {thing} to {who} {reason}",
    "this is the most {adjective} story about {topic}", "first {did} by {who} {when}",
    "put {thing} on the table, please", "somebody left {thing} {place} {when}",
    "no, {who} didn't want {thing}", "wait, is {thing} yours", "I'm sure {name} {did} {thing}",
    "we need {grocery}, {grocery} and {grocery}", "thank you for {thing}", "it was {adjective}",
    "let's meet {place} at {hour}", "the children were {doing} {when}", "are you coming {day}",
    "not everybody likes {topic}", "the doctor said it's nothing {adjective}", "see you {day}",
    "chapter {count}: {who} {did} {thing}", "page {number}, question {count}", "I love {music}",
    "the flight to {city} leaves at {hour} {reason}", "excuse me, how do I get to {city}",
    "well, {who} thought about {topic} and {did} {thing}", "that {adjective} dog {did} {thing}",
    "the {job} {adverb} {action}", "the {job} from the {institution} {did} {thing}", "I had {food}",
    "the {animal} {action} {when}", "have you tried the {food} {place}",
    "he hurt his {part} {when}", "her {part} still aches {reason}",
    "{adverb}, the {job} {action} and {action}", "it was {abstract}",
    "a {adjective} {animal} sat near the {nature}",
    "the {nature} beyond the {institution} is {adjective}",
    "she wore a {adjective} {clothes} to the {institution}",
    "{abstract} and {abstract} are {adjective}", "my favorite is {food} with {food}",
    "every {job} knows something about {abstract}", "what {nature}",
    "without {abstract} there is no {abstract}", "they {adverb} walked from the {nature} to {city}",
    "the {clothes} was too {adjective} for a {job}", "is there a {institution} {place}",
    "{name} {action}", "a {animal} and a {animal} were {place}",
    "they teach {abstract} at the {institution} in {city}", "who ate the {food} {when}",
    "would you rather be a {job} or a {job}", "{who} {adverb} {action}",
    "the {institution} is closed {reason}", "your {clothes} is {place}",
    "{food}, {food}, and some {food}", "no {animal} ever {action}",
    "after the {nature} came the {nature}", "{who} studied {abstract} {when}",
    "the {job} touched his {part} and {action}", "you can see the {nature} from the {institution}",
)  # fmt: skip

_FRONT = (
    "{word}, {order}", "{word}, {order}", "{word} {order}", "{word} {order}", "{word} {order}",
    "{word}, are you there", "{word}! {order}", "{word}? {order}",
)  # fmt: skip
_RUN_IN = (
    "hey {word}", "okay {word}", "hey {word}, {order}", "okay {word}, {order}", "hi {word}",
    "hello {word}, {order}", "um, {word}, {order}", "so {word}, {order}", "hey {word} {order}",
    "listen, {word}, {order}", "no, {word}, {order}", "thanks, {word}", "oh {word}, {order}",
)  # fmt: skip
_MIDDLE = (
    "I asked the {word} about {topic}", "{who} bought a {word} {when}", "the {word} {place} is new",
    "we called it {word} {reason}", "tell {word} that {who} {did} {thing}",
    "my {word} is {adjective}", "could you ask {word} about {topic}",
    "I think {word} knows {reason}", "that {word} is {adjective}",
    "when {word} answered, {who} was {doing}", "she said {word} and {did} {thing}",
    "please, {word}, {order}", "hm, {word}, {order}", "is {word} listening {when}",
)  # fmt: skip
_END = (
    "I bought a {word}", "good morning, {word}", "can you hear me, {word}", "{order}, {word}",
    "this is my new {word}", "{who} talked about a {word}", "have you met {word}",
    "{order}, {word}", "thank you, {word}", "everybody looked at the {word}",
    "we need another {word}", "what do you think, {word}", "where is the {word}",
    "they named it {word}", "good night, {word}",
)  # fmt: skip
_WHERE = (_FRONT, _FRONT, _RUN_IN, _MIDDLE, _END)
_FIELD = re.compile(r"\{(\w+)\}")
_BEFORE_VOWEL = re.compile(r"\ba (?=[aeiou])(?!uni|one\b)")


def orders(rng: random.Random) -> Iterator[str]:
    """Return what people ask of a voice assistant, without end."""
    while True:
        yield _filled(rng.choice(_ORDERS), rng)


def everyday(rng: random.Random) -> Iterator[str]:
    """Return everyday sentences of a wide vocabulary, without end."""
    while True:
        yield _filled(rng.choice(_EVERYDAY), rng)


def carriers(words: Iterator[str], rng: random.Random) -> Iterator[str]:
    """Return sentences that each contain the next one of `words`, without end.

    The word comes first in two sentences of five. In one of five each it follows a short opening
    such as “hey”, is in the middle, or is at the end.
    """
    for word in words:
        yield _filled(rng.choice(rng.choice(_WHERE)), rng, word=word)


def _filled(template: str, rng: random.Random, **given: str) -> str:
    """Return a template with all of its slots filled; a filling may have slots too."""

    def fill(field: re.Match[str]) -> str:
        slot = field[1]
        if slot == "order":
            return _filled(rng.choice(_ORDERS), rng)
        return given.get(slot) or _filled(rng.choice(_SLOTS[slot]), rng)

    return _BEFORE_VOWEL.sub("an ", _FIELD.sub(fill, template))
