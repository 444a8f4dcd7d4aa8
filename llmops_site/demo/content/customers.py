"""Sixty-four messages to Papermoon's support desk, from late parcels to plain joy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Customer:
    """Somebody who wrote to the shop. The text names `{order}` and `{product}`; no order means that none was named."""

    name: str
    order: str
    product: str
    topic: str
    mood: str
    text: str

    @property
    def message(self) -> str:
        body = self.text.format(order=self.order, product=self.product)
        return f"{body}\n\nRegards, {self.name}"

    @property
    def tags(self) -> list[str]:
        return [self.topic, self.mood]

    @property
    def title(self) -> str:
        return f"{self.topic.capitalize()}: {self.product} ({self.name.split()[0]})"


# One line for each person keeps sixty-four of them on two screens.
# fmt: off
_LATE = [
    ("Maria Duarte", "PM-48213", "Luna Fountain Pen", "worried", "Good morning, my order {order} has not arrived. It is a birthday present for my father on Saturday and I wanted to have the {product} engraved. Can you tell me where it is?"),
    ("Tom Ashby", "PM-48377", "Nightjar Planner", "angry", "Order {order} was promised for Monday. It is Thursday. I am still waiting for the {product} and your tracking page has shown the same line for six days."),
    ("Ingrid Solheim", "PM-49002", "Crescent Ink Set", "calm", "Hello there. The tracking for order {order} says that the {product} left Rotterdam nine days ago. Is it delayed, or should I ask my neighbours?"),
    ("Kofi Mensah", "PM-49118", "Orbit Sketchbook", "formal", "Dear Sir or Madam, I placed order {order} on 3 March for our drawing class. The {product} has still not been delivered and the class begins next week. I would appreciate a date."),
    ("Lena Brandt", "PM-49240", "Comet Rollerball", "terse", "Where is order {order}? Ordered the {product} two weeks ago. Nothing."),
    ("Yusuf Demir", "PM-49377", "Paper Lantern Calendar", "cheerful", "Hi Papermoon! The year has begun and my wall is bare: order {order} is late. Any chance that the {product} turns up before February? No drama, just curious."),
    ("Beatriz Nunes", "PM-49512", "Dusk Letter Set", "worried", "I am writing about order {order}. The carrier says it was delivered on Tuesday, but the {product} has not arrived and nobody in the house has seen a parcel."),
    ("Owen Pritchard", "PM-49630", "Tidal Notebook", "angry", "This is the third e-mail about order {order}. Your promise was five days, we are at nineteen, and the {product} is nowhere. Please deliver it or say plainly that you cannot."),
]
_DAMAGED = [
    ("Hana Sato", "PM-50011", "Luna Fountain Pen", "calm", "Hello, the {product} from order {order} came with a cracked barrel. The box itself looked fine. I have kept everything in case you need a photo."),
    ("Greg Lindqvist", "PM-50127", "Crescent Ink Set", "angry", "Two of the bottles in the {product} were leaking when I opened order {order}. There is violet ink on my desk, my shirt and my cat. What are you going to do about it?"),
    ("Amina Okafor", "PM-50234", "Orbit Sketchbook", "terse", "Order {order}: corner of the {product} is torn, forty pages bent. Please replace."),
    ("Pieter Vos", "PM-50310", "Eclipse Writing Mat", "formal", "Dear team, the {product} delivered with order {order} is scratched across its whole width. I consider this a defect and ask you to tell me how to proceed."),
    ("Rosa Ferrante", "PM-50444", "Halo Brush Pens", "worried", "Three of the twelve {product} in order {order} have split tips and a cracked cap. They were meant for a wedding I am lettering next weekend, and I do not know what to do now."),
    ("Callum Reid", "PM-50518", "Nightjar Planner", "cheerful", "Hiya! My dog did not do it, I swear: the {product} in order {order} arrived with its spine ripped clean off. Funny to look at, hard to write in. Can you help?"),
    ("Mei Tan", "PM-50690", "Paper Lantern Calendar", "calm", "The {product} from order {order} reached me damaged: the March sheet is torn in half. All the other months are lovely."),
    ("Stefan Kolar", "PM-50777", "Tidal Notebook", "angry", "Second time! Order {order} replaced a notebook with water damage, and the new {product} is damaged as well, the cover is dented and the pages are wavy. This is unacceptable."),
]
_WRONG = [
    ("Clara Jensen", "PM-51008", "Comet Rollerball", "calm", "I ordered the {product} in black ink, order {order}, and received blue instead of black. Everything else is right."),
    ("Diego Ramos", "PM-51133", "Dusk Letter Set", "terse", "Wrong item. Order {order} should be the {product}, got a pack of birthday cards."),
    ("Fatima Zahra", "PM-51256", "Tidal Notebook", "worried", "My order {order} has been mixed up. I asked for the {product} with dotted pages for my exams and got a ruled one in a different size. Is there time to exchange it before the 12th?"),
    ("Noah Fischer", "PM-51318", "Halo Brush Pens", "cheerful", "Hello! Somebody out there is wondering why they got the {product}, because I got their stickers. My order is {order}. Shall we swap?"),
    ("Sigrid Holm", "PM-51402", "Crescent Ink Set", "formal", "Dear Papermoon, one bottle is missing from the {product} in order {order}. The packing slip lists six; the box holds five."),
    ("Andre Petit", "PM-51599", "Eclipse Writing Mat", "angry", "I paid for the large {product} and you sent the small one, order {order}. It covers a third of the space. I measured before I bought, did you before you packed?"),
    ("Priya Nair", "PM-51640", "Orbit Sketchbook", "calm", "There seems to be a mistake in order {order}: the {product} has cream paper, but I chose white. Could you send the right one?"),
    ("Jonas Weber", "PM-51733", "Nightjar Planner", "terse", "Order {order}. The {product} is for last year. Wrong edition."),
]
_REFUND = [
    ("Emily Carter", "PM-52014", "Luna Fountain Pen", "calm", "I would like to return the {product} from order {order}. The nib is broader than I expected. It has been dipped once and cleaned. What do I have to do?"),
    ("Marek Nowak", "PM-52150", "Eclipse Writing Mat", "angry", "I sent the {product} back three weeks ago and my money back has not come. Order {order}. I want my refund this week or I will go to my bank."),
    ("Sofia Rossi", "PM-52233", "Dusk Letter Set", "formal", "Dear customer service, under order {order} I received the {product}, which I wish to send back unopened. Kindly confirm that you reimburse the postage as well."),
    ("Hugo Martins", "PM-52377", "Orbit Sketchbook", "terse", "Want a refund for order {order}. The {product} is thinner than in the picture."),
    ("Grace Obi", "PM-52409", "Nightjar Planner", "worried", "I bought the {product} twice by mistake, order {order} is the second one. I cannot really afford both this month. Is it possible to return it, please?"),
    ("Liam Walsh", "PM-52588", "Halo Brush Pens", "cheerful", "Hey! My sister and I both had the same idea, so my nephew now owns two sets of the {product}. Can I send it back? It was order {order}."),
    ("Anna Kowalska", "PM-52610", "Comet Rollerball", "angry", "The {product} from order {order} skips on every second word. I was told it would get better, it did not. I want a refund and not another voucher."),
    ("Ravi Menon", "PM-52799", "Crescent Ink Set", "calm", "Hello, the green in the {product} is not the green on your site. I would prefer to return it. The order number is {order}."),
]
_PRAISE = [
    ("Elif Kaya", "PM-53021", "Luna Fountain Pen", "cheerful", "I just wanted to say that the {product} from order {order} is wonderful. I have written more letters this week than in the last ten years."),
    ("Peter Novak", "", "Tidal Notebook", "cheerful", "Thank you so much for the {product}! The paper does not bleed at all and the little moon on the cover makes me smile each morning."),
    ("Julia Costa", "PM-53144", "Dusk Letter Set", "formal", "Dear Papermoon, may I compliment whoever packed order {order}. The {product} looked like a gift before I had opened it. Excellent work."),
    ("Dan Cooper", "", "Comet Rollerball", "terse", "Love it. Best pen I have owned, the {product}."),
    ("Wanjiru Kamau", "PM-53260", "Orbit Sketchbook", "cheerful", "Hello! My students are amazed by the {product}, order {order}. Thirty sketchbooks, not one complaint, that never happens. You are brilliant."),
    ("Ella Berg", "PM-53318", "Paper Lantern Calendar", "calm", "The {product} hangs in our kitchen now and everybody who visits asks about it. Order {order} was also quicker than promised. I am very happy with it."),
    ("Carlos Vega", "", "Halo Brush Pens", "cheerful", "Fantastic colours in the {product}. I have recommended you to my whole lettering group, so expect eleven slightly obsessive people soon."),
    ("Nora Lind", "PM-53477", "Eclipse Writing Mat", "calm", "A short note about order {order}: the {product} is great, and the handwritten card made my day. Please tell whoever wrote it."),
]
_QUESTION = [
    ("Isabel Moreno", "", "Luna Fountain Pen", "calm", "Could you tell me which converter fits the {product}? The shop page names two and I do not want to order the wrong size."),
    ("Ben Hadley", "", "Crescent Ink Set", "terse", "Is the {product} waterproof once dry?"),
    ("Chiara Greco", "", "Tidal Notebook", "cheerful", "Hi! Do you make the {product} with squared pages too? I am planning a garden and my lines are a disgrace."),
    ("Mohamed Salah", "", "Nightjar Planner", "formal", "Dear team, when will the {product} for next year be available? We would like forty copies for our staff and need an offer."),
    ("Tessa de Wit", "PM-54012", "Dusk Letter Set", "calm", "I have order {order} on its way. Is it possible to have the {product} gift-wrapped, or is it too late for that?"),
    ("Arjun Rao", "", "Halo Brush Pens", "worried", "My daughter is allergic to some solvents. What is in the ink of the {product}, and is it safe for a nine-year-old?"),
    ("Sara Lund", "", "Orbit Sketchbook", "calm", "How do I care for the linen cover of the {product}? Mine has collected a little graphite dust."),
    ("Viktor Orlov", "PM-54230", "Comet Rollerball", "terse", "Which refill goes into the {product}? Order {order}, no leaflet inside."),
]
_ADDRESS = [
    ("Leonie Graf", "PM-55017", "Tidal Notebook", "worried", "I have made a mistake with order {order}: it goes to my old flat. Please send the {product} to Lindenweg 4 in Graz, I moved on Sunday."),
    ("Samir Haddad", "PM-55102", "Luna Fountain Pen", "calm", "Hello, I will be away from Monday. Is it possible to change the delivery address of order {order} so that the {product} goes to my office?"),
    ("Kate Morrison", "PM-55263", "Paper Lantern Calendar", "terse", "Wrong house number on order {order}. It is 18, not 81. The {product} must not go to number 81."),
    ("Bruno Almeida", "PM-55390", "Crescent Ink Set", "cheerful", "Hi! New house, same ink habit. Can I still change the address for order {order} before the {product} ships?"),
    ("Yuki Mori", "PM-55441", "Eclipse Writing Mat", "formal", "Dear Papermoon, our company has moved. Kindly deliver order {order}, the {product}, to the new address on our account from today."),
    ("Oskar Nilsson", "PM-55587", "Orbit Sketchbook", "worried", "I typed the wrong postcode in order {order} and the {product} is a present. The parcel is already packed according to your page. Can anybody stop it?"),
    ("Marta Ribeiro", "PM-55630", "Dusk Letter Set", "calm", "Please deliver order {order} to my sister instead, she lives at Rua das Flores 22 in Porto. The {product} is for her anyway."),
    ("Finn O'Hara", "PM-55718", "Nightjar Planner", "angry", "I changed the address on my account last month and order {order} still went to the old one. How is the {product} supposed to find me?"),
]
_BILLING = [
    ("Helen Brooks", "PM-56004", "Luna Fountain Pen", "worried", "My card was charged twice for order {order}, 89.00 EUR each time. I only bought one {product}. Please look into the payment, my account is nearly empty."),
    ("Ahmed Farouk", "PM-56139", "Nightjar Planner", "formal", "Dear accounts team, I need an invoice with our VAT number for order {order} ({product}). The receipt in the parcel does not show it."),
    ("Zoe Lambert", "PM-56207", "Halo Brush Pens", "angry", "You charged 12.50 EUR for express delivery on order {order} and it came by ordinary mail. The {product} took eight days. I expect the difference back."),
    ("Milan Horvat", "PM-56345", "Orbit Sketchbook", "terse", "Order {order}. Price was 24 EUR on the page, the bill for the {product} says 29 EUR. Why?"),
    ("Rebecca Stone", "PM-56470", "Dusk Letter Set", "calm", "Hello, my discount code did not work on order {order}, so the {product} was charged at full price. Can you correct the invoice?"),
    ("Tariq Aziz", "PM-56518", "Tidal Notebook", "worried", "I cancelled order {order} within an hour, but the payment for the {product} has left my card anyway. When will this be corrected?"),
    ("Agnes Toth", "PM-56603", "Crescent Ink Set", "cheerful", "Hi there, small thing: the receipt for order {order} is made out to Mr Toth, and he would never buy the {product}. Could you put my name on it? It is Agnes."),
    ("Joao Pereira", "PM-56790", "Paper Lantern Calendar", "angry", "Twice I have asked for the invoice of order {order}. My bookkeeper will not accept a screenshot for the {product}. Please send the bill today."),
]
# fmt: on

TOPICS = {
    "late": _LATE,
    "damaged": _DAMAGED,
    "wrong item": _WRONG,
    "refund": _REFUND,
    "praise": _PRAISE,
    "question": _QUESTION,
    "address change": _ADDRESS,
    "billing": _BILLING,
}
# Dealt out topic by topic, so that any beginning of the list holds some of everything.
CUSTOMERS = [
    Customer(name, order, product, topic, mood, text)
    for place in range(8)
    for topic, rows in TOPICS.items()
    for name, order, product, mood, text in [rows[place]]
]
