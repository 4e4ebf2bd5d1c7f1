"""The sentences of "one herb, several photos" and of "several herbs in one photo"."""

from herbdemo.ui.text import Text

# One herb, several photos

TAB_SPECIMEN = Text("一味多照", "Several photos")
SPECIMEN_TITLE = Text("同一味药，多拍几张", "Several photos of one herb")
SPECIMEN_WAYS = Text(
    "整株、切面、叶、花各一张，最多五张。合起来看，比单看一张准得多。",
    "Whole, cut, leaf, flower: up to five photos. Together they tell far more than one.",
)
CHOOSE_SEVERAL = Text("选几张照片", "Choose several photos")
ADD = Text("再加一张", "Add photos")
PHOTO_NUMBER = Text("照片 {}", "Photo {}")
REMOVE = Text("移除照片 {}", "Remove photo {}")
TOO_MANY = Text(
    "一味药最多五张照片；多出的没有收下。",
    "Five photos of one herb at most; the others were left out.",
)
WAIT = Text("正在合看……", "Looking at all of them …")
TOGETHER = Text("合起来看", "Taken together")
ONE_PHOTO = Text(
    "目前只有一张照片。再加几张同一味药的照片，会更准。",
    "This is one photo so far. More photos of the same herb make it surer.",
)
DISAGREE = Text(
    "这些照片各指不同的药材。请确认它们拍的是同一味药，不是的请移除。",
    "The photos point to different herbs. Make sure that they show one herb, and remove those that "
    "do not.",
)
PHOTO_FAILED = Text("照片 {} 没有用上：{}", "Photo {} was left out: {}")
MAPS_OF = Text("热图看哪一味", "Heatmaps for")
EACH = Text("各张照片", "Photo by photo")
EACH_MORE = Text(
    "热图标出各张照片里的依据；点一张，下面细看。",
    "The heatmaps show the evidence in each; click one to see its own answer below.",
)
DECISIVE = Text("定论", "Decided it")
DECISIVE_MORE = Text(
    "去掉这一张，首选的概率降得最多", "Without this one the best herb would lose most"
)
BY_ITSELF = Text("单看：{} {}", "By itself: {} {}")
BY_ITSELF_UNKNOWN = Text("单看：不认识", "By itself: unknown")
RAISES = Text("使首选的概率 {} 个百分点", "Moves the odds of the best herb by {} points")
NO_EVIDENCE = Text("这张里没有它的依据", "No evidence for it here")
SEE_PHOTO = Text("细看照片 {}", "Look closely at photo {}")

# Several herbs in one photo

TAB_TRAY = Text("一盘多味", "Several herbs")
TRAY_TITLE = Text("把几味药摊开，拍一张", "Lay several herbs out, take one photo")
TRAY_WAYS = Text(
    "一盘药、一张方子抓好的药都行。从正上方拍，各味之间留一点空。",
    "A tray, or a prescription laid out. Photograph it from above, with a little room between the "
    "herbs.",
)
FOUND = Text("找到 {} 味药", "{} herbs found")
FOUND_ONE = Text("只找到 1 味药", "1 herb found")
FOUND_MORE = Text(
    "点一行，照片里就只亮出这一味；再点一次，全部亮出。",
    "Tap a row to light up that herb alone; tap it again to see all.",
)
FOUND_ONE_MORE = Text(
    "整张照片大概就是这一味。要看五个候选和热图，请用“照片”一页。",
    "The whole photo is probably this one herb. For five candidates and heatmaps use “Photo”.",
)
NOTHING_TITLE = Text("没有找到认识的药材", "No herb that this model knows")
NOTHING = Text(
    "照片里没有一处像本模型认识的药材。请靠近些，从正上方拍，让每味药至少占照片的二十分之一。",
    "No part of the photo looks like a herb that this model knows. Go closer, photograph from "
    "above, and let each herb fill at least a twentieth of the photo.",
)
HERB = Text("药名", "Herb")
SHARE = Text("占照片", "Of the photo")
PROBABILITY = Text("概率", "Probability")
REST = Text("其余：背景，或认不出的", "The rest: background, or not recognised")
PLACES = Text("{} 处", "in {} places")
LIGHT_UP = Text("{}：在照片里只亮出{}", "{}: light up {} alone in the photo")
LIES = Text("{}占 {}，在{}", "{}, {} of the photo, {}")
PICTURE = Text("照片和其中的药材", "The photo and the herbs in it")
POISONOUS = Text(
    "其中有毒性药材：{}。须遵医嘱使用。",
    "Poisonous herbs among them: {}. Only to be used as a physician directs.",
)
