# Tasks whose answer lies mostly in the prompt: texts of ours, and what is asked about them.

LIGHTHOUSE = """\
The lighthouse at Varn Point was built in 1871 by a company of twelve men and two mules. The \
stone came from a quarry on the far side of the bay, and each block was rowed across at low \
tide, because the larger boats could not land on the rocks. The tower is forty metres high. Its \
first lamp burned rape oil, its second paraffin, and the third, which is still there, is \
electric. The keeper, Anna Lindholm, lived in the tower for thirty-one years. She wrote down the \
weather twice a day, in the morning and in the evening, and her notebooks are now kept in the \
town library. In the winter of 1902 the sea froze as far as the outer islands, and for nine \
weeks no boat could reach the point. Anna Lindholm melted snow for water and burned the spare \
ladder for heat. When the ice broke, the first boat brought her flour, coffee, and a letter that \
had been waiting since November. The lighthouse was given a motor in 1934 and has needed no \
keeper since 1968. Today it is open to visitors from May to September, and the climb to the lamp \
takes about ten minutes."""

BAKERY = """\
Meeting of the bakery cooperative, Tuesday, 4 March. Present: Ines, Tomas, Farid, Ruth and Olga. \
The old oven needs a new door before the summer. Tomas has asked two workshops; the first wants \
1,400 and can begin in April, the second wants 1,150 and can begin in June. The cooperative \
chose the first, because the market season opens on the first of May. Farid reported that the \
price of rye flour has risen by eight percent since January, while wheat has stayed the same. \
The price of the dark loaf goes up from 4.20 to 4.50 on the first of April; the price of the \
white loaf does not change. Ruth will write a note for the shop window. Olga asked whether the \
shop could stay open until seven on Fridays. Ines and Farid will try this for six weeks and \
count the customers after five o'clock. The delivery bicycle has been repaired and is in use \
again. Ines reminded everybody that the storeroom must be swept every evening, since mice were \
seen in February. The next meeting is on Tuesday, 1 April, at half past six, in the back room."""

WINDOW = """\
A language model reads its text in pieces that are called tokens. A fixed window holds a certain \
number of them and no more. While the window has room, each new token is put behind the last \
one, and the model may look at all that came before. When the window is full, something must \
leave. The simplest rule lets the oldest token go and moves all others one place to the front. \
This rule is easy to write and easy to trust, but it has a price: every position has changed, so \
that everything the model had computed must be computed again. A second rule keeps a few tokens \
from the very beginning, keeps the newest, and drops those between. The first tokens matter more \
than their meaning suggests, because a model that has nothing to attend to attends to them. With \
this rule most of the computed rows can stay, and only their positions must be turned. A third \
rule divides the text and sums up each part. It keeps the most meaning in the least room, but it \
costs a whole answer each time, and whatever the summary leaves out is lost."""

TASKS = [
    ("edit a name", LIGHTHOUSE,
     "Copy the following text completely, but replace the name Anna Lindholm by Marta Berg."),
    ("edit the style", WINDOW,
     "Rewrite the following text. Keep every sentence, and change only the words that are hard."),
    ("clean up notes", BAKERY,
     "Write these minutes again, with one sentence on each line and nothing left out."),
    ("sum up", LIGHTHOUSE,
     "Summarize the following text in detail, using the words of the text where you can."),
    ("sum up notes", BAKERY,
     "List all decisions of this meeting, with the reasons, in the words of the minutes."),
]


def chat_prompt(text, order):
    """ChatML, as SmolLM2's own template writes it: the same characters for every program."""
    return ("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
            f"Face<|im_end|>\n<|im_start|>user\n{order}\n\n{text}<|im_end|>\n"
            "<|im_start|>assistant\n")
