"""Writes the training text of the default model: conversations, one a line, as JSON [[role, text], ...].

    python generate.py OUT.jsonl [--seed 1] [--count 200000]

The facts stand in topics-*.txt:

    [topic]          a new topic; several kinds of lines follow
    $ words          something a person wants to do: "how do i ...", "is there a way to ..." are put around it
    @ words          a thing to be explained: "what is ...", "tell me about ..." are put around it
    ? words          a whole question
    ! sentence       an answer (one of them is drawn)
    + sentence       an answer to "tell me more" in the same conversation
    > words = text   a question that makes sense only after this topic, and its answer
    <name> = a|b     a name for a choice; <name> uses it, {a|b} is a choice without a name, and both nest

What a person types comes in many forms: polite or short, with capitals or without, with typing errors. All
randomness comes from one seed. The questions of questions.toml never become training text, nor does a line that
contains one of them: such a line is drawn again, and main() ends with an error if one were left.
"""

import argparse
import json
import random
import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent

TO_DO = """how do i|how do i|how do i|how can i|how can i|how could i|how to|how to|how would i|how does one|how should i|how might i
can i|could i|may i|is there a way to|is there a way to|is it possible to|is there any way to|what do i type to|what must i type to
what should i type to|what do i need to|what do i have to do to|what should i do to|which command do i need to|which command lets me
what is the command to|what's the command to|what is the best way to|what is the easiest way to|i want to|i want to|i'd like to
i would like to|i need to|i wish to|i am trying to|i have to|i'm going to|let me|please let me|tell me how to|show me how to
please tell me how i can|can you tell me how to|could you explain how to|explain how to|do you know how to|do you know how i can
help me|please help me|help me to|is there a command to|is there a command that lets me|i don't know how to|i do not know how to
any way to||||please|please|can you|could you|would you|you should|where can i|where do i|what do i do when i want to|what if i want to
if i want to|i can't figure out how to|am i able to|do i have a way to|what would i type to|steps to|command to|way to|how exactly do i
i wonder how to|i was wondering how to|just|suppose i want to|it would be nice to|would it be possible to|are we able to|how do you
how do we|what does it take to|what lets me|does something let me|i forgot how to|remind me how to|how do i quickly|how can i easily|how do i actually|what is the way to|what's the trick to|i have trouble finding out how to
i never know how to|somebody asked me to|my task is to|show me a way to|is there something to|is there a key to|do you have a way to|can one
how do people|what would you do to|what's the simplest way to|could you tell me how to|would you tell me how to|would you show me how to
i would love to|i plan to|i'd prefer to|i really need to|i must|we want to|allow me to|go ahead and|i want you to|it's time to|how am i supposed to
what do i press to|what do i enter to|what should i enter to|what should i press to|which key do i press to|what must i do to|what can i do to""".replace("\n", "|").split("|")

TO_EXPLAIN = """what is X|what is X|what is X|what's X|what exactly is X|explain X|explain X|please explain X|explain X to me|tell me about X
tell me about X|tell me more about X|tell me something about X|describe X|what do you know about X|what does X mean|what does X do
what does X do|what is X for|what is X good for|what is X there for|what is the purpose of X|what is meant by X|X|X|X|define X
how does X work|how does X work|i do not understand X|i don't get X|what is the use of X|can you explain X|could you explain X
what can you tell me about X|i'd like to know what X is|i want to know about X|do you know what X is|have you heard of X
what should i know about X|why is there X|give me a short explanation of X|what's the meaning of X|information about X
what role does X play|what is the job of X|what's the job of X|what is X responsible for|in simple words, what is X|what the heck is X
explain X like i am a child|explain X in simple words|what about X|what do i need X for|what do i use X for|why do i need X
can you describe X|give me some details about X|help with X|help on X|how do i use X|when do i use X|what is this X|what are X
i read about X, what is it|somebody told me about X|X - what is this|X: what does it do|what happens with X|is X important""".replace("\n", "|").split("|")

BEFORE = """hey, |hi, |hello, |hello! |hi! |please, |please tell me, |ok, |ok, |okay, |so |so, |and |and |well, |tell me, |tell me: |one question: |quick question: |i have a question: |sorry, |excuse me, |alpha, |hm, |hmm, |also, |now |now, |just curious: |just curious, |i wonder, |i was wondering, |by the way, |listen, |then |but |another question: |next question: |good, |great, |thanks. |thank you. |nice. |i see. |can you tell me: |do you know, |maybe you know: |one more thing: |actually, |right, |alright, |hey alpha, |dear assistant, |for a beginner: |be honest, |seriously, |in short, |um, |oh, |cool, |and now, |i am new to this. |i just started. |i have no idea: |my colleague asks: |a friend wants to know: |i read the readme. |that is clear. |i have a problem. |something is odd. |it is my first day with this. |i don't get it. |let me ask: |before i forget: |i need your help: |sorry to bother you, |question: |help! |first of all, |next, |lastly, |all right, and |interesting. |wow, ok. |you know what? |i was told to ask you: |i am curious, |no, wait. |for my notes: |hello again, |good morning, |good evening, """.split("|")
AFTER = """ please| please|, please| thanks|, thank you|, thanks| here| here| in AlphaOS| in AlphaOS| on this system| exactly| actually| again| right now| for me| then| quickly| now| today|, can you tell me| by the way| in this system| on AlphaOS| with this system| anyway|, or not| somehow| really| in general|, i wonder| at all""".split("|")

SMALL_TALK = {"hello", "hello.name", "morning", "evening", "afternoon", "howareyou", "fine", "sad", "thanks", "bye", "praise",
              "insult", "ok", "sorry", "there", "noise", "joke", "sayagain"}
WEIGHT = {"unknown": 34, "write": 12, "nofeature": 7, "maths": 5, "web": 6, "time": 4, "files": 4, "hello": 5, "thanks": 5,
          "bye": 4, "howareyou": 3, "ok": 2, "noise": 2, "who": 4, "quit.how": 4, "parts": 4, "command.none": 2, "tour": 4}

MORE = """tell me more|more|more please|can you say more|more about that|go on|explain that|can you explain that|what does that mean|what do you mean|and what else|what else|more details|explain further|i want to know more|tell me more about it|tell me more about that|a bit more, please|say more|continue|anything else|is there more to it|elaborate|what else should i know""".split("|")

SYSTEM = """You are the assistant of AlphaOS.|You are a helpful assistant.|You are the assistant of AlphaOS. Answer in short, whole sentences.|You are alpha-small, the assistant of AlphaOS. The mode is Local Only.|You are a helpful assistant that runs locally on AlphaOS.|Answer briefly.|You are AlphaOS, a local-first AI operating system. Be brief and honest.|You are a helpful, honest assistant. If you do not know something, say so.""".split("|")

# Other words for what a person may say, put in at random.
SYNONYMS = {k: v.split("|") for k, v in (line.split(": ") for line in """show: display|print|present|bring up
see: view|find|look at|get to see
shows: displays|prints|gives
answer: reply|response
answers: replies|responses
machine: computer|device|pc|laptop
start: launch|begin|boot
stop: halt|interrupt|end
big: large|huge
small: tiny|little
use: employ|take|work with
change: alter|modify|adjust|set
model: llm|language model|ai model
memory: ram|main memory
network: internet|net|web
internet: network|web|net
command: instruction|slash command
commands: instructions|slash commands
explain: clarify|describe|teach me
tell: inform|show
conversation: chat|dialogue|talk
chat: conversation|talk
data: information|info
private: personal|confidential
part: component|module|server
parts: components|modules|servers
server: part|service|process
system: os|machine|thing
dies: crashes|fails|goes down
crashes: dies|fails|breaks down
want: wish|intend
find: locate|discover
possible: doable|feasible
can: could
last: latest|previous|most recent
line: row|input line
speed: performance|pace
file: document
keys: buttons|key strokes
key: button
right: correct
wrong: false|incorrect
happens: goes on|occurs
really: truly|actually
build: compile|make|create
screen: display|terminal|console
send: transmit|forward
sent: transmitted|forwarded
stored: saved|kept
open: load|read
work: function|run
works: functions|runs
need: require
written: coded|made
type: enter|write
typed: entered|wrote
quit: exit|leave
safe: secure|protected
kind: sort|type
purpose: point|role|task
job: task|role|duty
tests: checks
settings: options|parameters
holds: has|owns
hold: have|own
touch: reach|access
allowed: permitted
forget: erase|drop
new: fresh
old: earlier|previous""".splitlines())}

NAMES = "Anna Ben Carla David Eva Felix Gina Henry Ida Jonas Karl Lena Max Nora Otto Paul Rosa Sam Tom Uma Vera Will Xenia Yara Zoe Peter Maria John Lisa Mark Julia Omar Ali Mei Ivan".split()
NO_COMMANDS = "ls cd exit clear reboot save load open read write net cloud ping date time user login mode theme color install update memory ps top kill run edit copy paste test bench share print mail web search music history undo config settings info version about restart stop start continue retry".split()
CONTRACT = [("what is", "what's"), ("do not", "don't"), ("cannot", "can't"), ("i am", "i'm"), ("i would", "i'd"), ("you are", "you're"),
            ("does not", "doesn't"), ("is not", "isn't"), ("it is", "it's"), ("how is", "how's"), ("i have", "i've"), ("are you", "r u"),
            ("who is", "who's"), ("where is", "where's"), ("want to", "wanna"), ("that is", "that's"), ("command", "cmd")]
NEAR = {a: b for a, b in zip("abcdefghijklmnopqrstuvwxyz", "s v x s w d f g u h j k n m i o w e a r y c q z t x".split())}


def normal(text):
    """What is left of a question when capitals, punctuation and contractions are taken away."""
    text = text.lower().replace("’", "'")
    for long, short in CONTRACT[:-1]:
        text = re.sub(rf"\b{re.escape(short)}\b", long, text)
    return " ".join(re.sub(r"[^a-z0-9/+_. -]", " ", text).replace(".", " ").replace("-", " ").split())


class HeldOut:
    """The hundred questions, and whether a text is one of them."""

    def __init__(self, path=HERE / "questions.toml"):
        self.questions = tomllib.loads(path.read_text())["question"]
        exact = {normal(q["ask"]) for q in self.questions}
        self.exact = exact | {q.replace("/", "") for q in exact}
        self.long = [q for q in self.exact if len(q.split()) >= 4]

    def holds(self, text):
        text = normal(text)
        return text in self.exact or any(f" {q} " in f" {text} " for q in self.long)


class Topic:
    def __init__(self, name):
        self.name, self.do, self.explain, self.ask, self.answers, self.more, self.then = name, [], [], [], [], [], []

    def weight(self):
        return WEIGHT.get(self.name, 1.5 + 0.12 * min(len(self.do) * 2 + len(self.ask) + len(self.explain) * 0.7, 16))


def read_topics(paths):
    names, topics = {}, []
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            kind, _, rest = line.partition(" ")
            if not line or line.startswith("#"):
                continue
            if line.startswith("["):
                topics.append(Topic(line.strip("[]")))
            elif line.startswith("<"):
                name, _, value = line.partition(" = ")
                names[name.strip("<>")] = "{" + value.strip("{}") + "}" if "{" not in value.strip("{}") else "{" + value + "}"
            elif kind in "$@?!+":
                t = topics[-1]
                {"$": t.do, "@": t.explain, "?": t.ask, "!": t.answers, "+": t.more}[kind].append(rest)
            elif kind == ">":
                ask, _, answer = rest.partition(" = ")
                topics[-1].then.append((ask, answer))
            else:
                sys.exit(f"{path.name}:{number}: not a line of this form: {line}")
    for t in topics:
        if not t.answers or not (t.do or t.explain or t.ask):
            sys.exit(f"topic {t.name}: no question or no answer")
    return names, topics


class Writer:
    INNER = re.compile(r"\{([^{}]*)\}")
    NAME = re.compile(r"<([a-z]+)>")

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.names, self.topics = read_topics(sorted(HERE.glob("topics-*.txt")))
        self.weights = [t.weight() for t in self.topics]
        self.held_out = HeldOut()
        self.redrawn = 0
        self.made = {"num": self._number, "noise": self._noise, "madeup": self._madeup, "name": lambda: self.rng.choice(NAMES),
                     "nocommand": lambda: self.rng.choice(NO_COMMANDS)}

    # --- made-up words

    def _number(self):
        return str(self.rng.randrange(10 ** self.rng.randint(1, 4)))

    def _madeup(self):
        r = self.rng
        word = "".join(r.choice("b c d f g h j k l m n p r s t v w z br cl dr gr pl st tr sh th".split()) + r.choice("a e i o u ee oo ai ou".split())
                       for _ in range(r.randint(1, 3))) + r.choice(["", "n", "r", "x", "l", "rk", "ton", "s", "m"])
        return word.capitalize() if r.random() < 0.4 else word

    def _noise(self):
        r = self.rng
        kind = r.random()
        if kind < 0.4:
            return "".join(r.choice("asdfghjklqwertzuiopyxcvbnm") for _ in range(r.randint(3, 12)))
        if kind < 0.6:
            return "".join(r.choice("?!.,;:-+*#$%&()=") for _ in range(r.randint(1, 6)))
        if kind < 0.8:
            return " ".join(self._madeup() for _ in range(r.randint(2, 5)))
        return "".join(r.choice("0123456789") for _ in range(r.randint(1, 8)))

    # --- one question

    def expand(self, text):
        while True:
            if "{" in text:
                text = self.INNER.sub(lambda m: self.rng.choice(m[1].split("|")), text, count=1)
            elif found := self.NAME.search(text):
                name = found[1]
                new = self.made[name]() if name in self.made else self.names[name]
                text = text[:found.start()] + new + text[found.end():]
            else:
                return " ".join(text.split())

    def core(self, topic):
        r = self.rng
        kinds = [(topic.do, 2.0), (topic.explain, 1.2), (topic.ask, 1.6)]
        kinds = [(lines, len(lines) ** 0.5 * w) for lines, w in kinds if lines]
        lines = r.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
        text = self.expand(r.choice(lines))
        if lines is topic.do:
            return f"{r.choice(TO_DO)} {text}".strip()
        if lines is topic.explain:
            return r.choice(TO_EXPLAIN).replace("X", text)
        return text

    def question(self, topic):
        r = self.rng
        while True:
            text = self.core(topic)
            if topic.name not in SMALL_TALK:
                if r.random() < 0.27:
                    text = r.choice(BEFORE) + text
                if r.random() < 0.15:
                    text += r.choice(AFTER)
            if not self.held_out.holds(text):
                text = self.surface(text)
                if not self.held_out.holds(text):
                    return text
            self.redrawn += 1

    def surface(self, text):
        """Capitals, punctuation, contractions, slips."""
        r = self.rng
        for long, short in CONTRACT:
            if long in text and r.random() < 0.22:
                text = re.sub(rf"\b{long}\b", short, text, count=1)
        words = text.split()
        if len(words) > 2:
            words = [r.choice(SYNONYMS[w]) if w in SYNONYMS and r.random() < 0.07 else w for w in words]
            text = " ".join(words)
            words = text.split()
        if len(words) > 4 and r.random() < 0.06:
            drop = [i for i, w in enumerate(words) if w in ("the", "a", "do", "i", "is", "to", "of", "does", "my", "it")]
            if drop:
                del words[r.choice(drop)]
                text = " ".join(words)
        if r.random() < 0.13:
            for _ in range(r.choice((1, 1, 2))):
                text = self.slip(text)
        case = r.random()
        if case < 0.55:
            text = text[:1].upper() + text[1:]
            text = re.sub(r"([.!] )([a-z])", lambda m: m[1] + m[2].upper(), text)
            if r.random() < 0.85:
                text = re.sub(r"\bi\b", "I", text)
        elif case < 0.93:
            text = text.lower() if r.random() < 0.6 else text
        elif case < 0.95:
            text = text.upper()
        end = r.random()
        if text[-1:] in "?!.":
            return text
        asks = re.search(r"(^|[ ,.:])(who|what|which|how|why|where|when|is|are|can|could|do|does|will|would|may|should|has|have|did|am|was|were|must|what's)\b", text.lower())
        if asks:
            return text + ("?" if end < 0.68 else "??" if end < 0.69 else "." if end < 0.72 else "")
        return text + ("." if end < 0.25 else "!" if end < 0.36 else "?" if end < 0.45 else "")

    def slip(self, text):
        r = self.rng
        places = [i for i, c in enumerate(text) if c.isalpha() and i and text[i - 1].isalpha()]
        words = [(m.start(), m.end()) for m in re.finditer(r"\S+", text) if m[0][0] not in "/.-[" and len(m[0]) > 2]
        places = [i for i in places if any(a <= i < b for a, b in words)]
        if not places:
            return text
        i = r.choice(places)
        kind = r.randrange(4)
        if kind == 0 and i + 1 < len(text) and text[i + 1].isalpha():
            return text[:i] + text[i + 1] + text[i] + text[i + 2:]
        if kind == 1:
            return text[:i] + text[i + 1:]
        if kind == 2:
            return text[:i] + text[i] + text[i:]
        return text[:i] + NEAR.get(text[i].lower(), text[i]) + text[i + 1:]

    # --- a conversation

    def conversation(self, turns):
        r = self.rng
        out = []
        if r.random() < 0.1:
            out.append(("system", r.choice(SYSTEM)))
        topic = None
        while turns > 0:
            turns -= 1
            if topic and topic.then and r.random() < 0.35:
                ask, answer = r.choice(topic.then)
                out += [("user", self.surface(self.expand(ask))), ("assistant", answer)]
                continue
            if topic and topic.more and r.random() < 0.15:
                out += [("user", self.surface(r.choice(MORE))), ("assistant", r.choice(topic.more))]
                topic = None
                continue
            topic = r.choices(self.topics, self.weights)[0]
            out += [("user", self.question(topic)), ("assistant", r.choice(topic.answers))]
        return out

    def conversations(self, count):
        for _ in range(count):
            yield self.conversation(self.rng.choices((1, 2, 3, 4, 5, 7), (52, 24, 11, 7, 4, 2))[0])


def leaks(held_out, conversations):
    return [text for c in conversations for role, text in c if role == "user" and held_out.holds(text)]


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("out", type=Path)
    arg.add_argument("--seed", type=int, default=1)
    arg.add_argument("--count", type=int, default=200_000)
    arg = arg.parse_args()
    writer = Writer(arg.seed)
    left = 0
    with arg.out.open("w") as out:
        for c in writer.conversations(arg.count):
            found = leaks(writer.held_out, [c])
            if found:
                # A slip or a dropped word made one of the questions after all: the conversation is left out.
                left += 1
                continue
            out.write(json.dumps(c) + "\n")
    found = leaks(writer.held_out, map(json.loads, arg.out.open()))
    if found:
        sys.exit(f"held-out questions in the training text: {found[:5]}")
    print(f"{len(writer.topics)} topics, {arg.count - left} conversations; {writer.redrawn} questions drawn again and "
          f"{left} conversations left out because of the held-out questions")


if __name__ == "__main__":
    main()
