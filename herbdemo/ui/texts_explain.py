"""The sentences of the Explain tab, in Chinese and in English."""

from herbdemo.ui.text import Text

TAB = Text("看懂", "Explain")
TITLE = Text("模型在看哪里", "Where the model looks")

# What is asked

HERB = Text("看哪一味药的依据", "Evidence for")
AGAINST = Text("与另一味对比", "Compare with")
NOBODY = Text("不对比", "nothing")
LIKELY = Text("这张照片的候选", "Likely on this photo")
OTHERS = Text("模型认识的其他药材", "All other herbs of the model")
LOOKALIKES = Text("易与{}混淆", "Easily confused with {}")
METHOD = Text("方法", "Methods")
LAYER = Text("网络的层", "Layers of the network")
LAYERS = {
    "layer1": Text("第 1 层", "Layer 1"),
    "layer2": Text("第 2 层", "Layer 2"),
    "layer3": Text("第 3 层", "Layer 3"),
    "layer4": Text("第 4 层", "Layer 4"),
}
LAYERS_MORE = Text(
    "浅层看得细，只认边缘与颜色；深层看得粗，认的是药材。",
    "Early layers see fine detail, but only edges and colours; the last one sees coarsely, but "
    "herbs.",
)
MOST_MAPS = Text(
    "一次最多看 {} 张热图。请先去掉一些方法或层。",
    "At most {} maps at a time. Take away a method or a layer first.",
)

METHODS = {
    "grad-cam": Text("Grad-CAM", "Grad-CAM"),
    "grad-cam++": Text("Grad-CAM++", "Grad-CAM++"),
    "layer-cam": Text("LayerCAM", "LayerCAM"),
    "hires-cam": Text("HiResCAM", "HiResCAM"),
    "xgrad-cam": Text("XGrad-CAM", "XGrad-CAM"),
    "eigen-cam": Text("Eigen-CAM", "Eigen-CAM"),
    "finer-cam": Text("Finer-CAM", "Finer-CAM"),
    "ablation-cam": Text("Ablation-CAM", "Ablation-CAM"),
    "score-cam": Text("Score-CAM", "Score-CAM"),
    "contrast": Text("对比图", "Contrast"),
}
ABOUT = {
    "grad-cam": Text(
        "每个特征图按它对得分的平均影响加权，再相加。最后一层有精确公式，本页默认用它。",
        "Adds up the feature maps, each weighted by how much it moves the score on average. On the "
        "last layer an exact formula does it; the page shows this one first.",
    ),
    "grad-cam++": Text(
        "Grad-CAM 的变体，照片里有好几片同一药材时，各片得到的份量更平均。",
        "A Grad-CAM that treats several pieces of the same herb more equally.",
    ),
    "layer-cam": Text(
        "逐点加权，不取平均，所以在浅层也能看到细节。",
        "Weighs every point by itself instead of on average, and so shows detail in early layers.",
    ),
    "hires-cam": Text(
        "逐点把影响与特征相乘，正负都算；在最后一层与 Grad-CAM 相同。",
        "Multiplies influence and feature point by point; on the last layer it equals Grad-CAM.",
    ),
    "xgrad-cam": Text(
        "让各特征图的份量加起来正好等于得分；在最后一层与 Grad-CAM 相同。",
        "Weighs feature maps so that they add up to the score; on the last layer it equals "
        "Grad-CAM.",
    ),
    "eigen-cam": Text(
        "只看照片里最突出的东西，与选哪味药无关：换一味药，图也不变。",
        "Shows what stands out most in the photo, whatever the herb: another herb, the same map.",
    ),
    "finer-cam": Text(
        "只留下能把它和{}区分开的地方。",
        "Keeps only what tells it from {}.",
    ),
    "ablation-cam": Text(
        "逐个关掉特征图，看得分降多少。不用梯度，但慢。",
        "Switches off one feature map after another and sees how far the score drops. Needs no "
        "gradient, but time.",
    ),
    "score-cam": Text(
        "透过每个特征图看照片，谁让得分高就更信谁。不用梯度，最慢。",
        "Looks at the photo through each feature map and trusts those that keep the score high. "
        "Needs no gradient; the slowest.",
    ),
    "contrast": Text(
        "橙色处更像{}，蓝色处更像{}。",
        "Orange where the photo looks more like {}, blue where more like {}.",
    ),
}

# The maps

GALLERY = Text("热图", "Maps")
CAPTION = Text("{}的依据", "Evidence for {}")
CAPTION_CONTRAST = Text("为什么是{}，而不是{}", "Why {} and not {}")
CAPTION_FINER = Text("{}的依据，区别于{}", "Evidence for {} and not {}")
ALT = Text("{}的热图：{}，{}。{}", "Map for {}: {}, {}. {}")
BRIGHT = Text("亮处主要在{}。", "Bright mainly {}.")
EMPTY = Text("没有支持的依据", "No positive evidence")
EMPTY_MORE = Text(
    "照片里没有一处支持{}，所以这张图是空的。",
    "Nothing in the photo speaks for {}, so this map is empty.",
)
SLOW = Text("这种方法较慢，可能要几分钟。", "This method is slow and may take minutes.")
START = Text("开始计算", "Work it out")
STOP = Text("停止", "Stop")
WAITS = Text("排队等候……", "Waiting for its turn …")
RUNS = Text("已算 {}%", "{}% done")
ONE_SLOW = Text(
    "你已有一张慢图在算。请等它算完，或先停止它。",
    "One slow map of yours is being worked out. Wait for it, or stop it first.",
)
STOPPED = Text("已停止。", "Stopped.")
GONE = Text(
    "这张照片已不在服务器上，或已换成另一张。请重新选择照片。",
    "This photo is no longer on the server, or another one has taken its place. Choose it again.",
)
TOO_MANY = Text("一次要的热图太多。请少选一些。", "Too many maps at a time. Choose fewer.")

# How they are drawn

WEAK = Text("弱", "weak")
STRONG = Text("强", "strong")
OPACITY = Text("浓淡", "Opacity")
COLOURS = Text("配色", "Colours")
COLOUR_NAMES = {
    "ember": Text("炉火", "Ember"),
    "dusk": Text("蓝黄（色觉友好）", "Blue–yellow (colour-blind safe)"),
    "grey": Text("灰", "Grey"),
}
LINES = Text("等值线", "Contour lines")
LINES_MORE = Text("线在最强处的 25%、50%、75%", "Lines at 25, 50 and 75% of the strongest")
SCALE = Text("同一方法共用一把尺", "One scale per method")
SCALE_MORE = Text(
    "同一方法、同一层的图用同一把尺，便于比较两味药；不同方法的数值不能互比。",
    "Maps of one method and layer share a scale, so that two herbs can be compared. The values of "
    "different methods cannot.",
)

# Faithfulness

FAITH = Text("这张图可信吗", "Can this map be trusted?")
FAITH_HOW = Text(
    "把图上的亮处从照片里去掉，再问一次模型：真正的依据没有了，概率就该掉下来。"
    "一张照片说明不了太多：随手画的图，五张里也有一张过关。",
    "The bright parts of the map are taken out of the photo and the model is asked again: without "
    "its real evidence, the probability should fall. One photo proves little: of maps drawn at "
    "random, one in five passes too.",
)
MEASURING = Text("正在遮住一部分再问模型……", "Covering parts and asking the model again …")
VERDICTS = {
    "faithful": Text("可信", "Faithful"),
    "unfaithful": Text("不可信", "Not faithful"),
    "open": Text("无法判断", "Cannot tell"),
}
SAID = {
    "faithful": Text(
        "去掉图上最亮的 {share}，{herb}从 {whole} 降到 {most}；去掉最暗的 {share}，是 {least}；"
        "换别处去掉同样多，是 {elsewhere}。所以这张图指出的，正是模型依靠的地方。",
        "Without the brightest {share} of the map, {herb} falls from {whole} to {most}; without "
        "the dullest {share} it is {least}; with as much taken elsewhere, {elsewhere}. So the map "
        "does show what the model goes by.",
    ),
    "unfaithful": Text(
        "去掉图上最亮的 {share}，{herb}从 {whole} 变为 {most}；去掉最暗的 {share}，却是 {least}；"
        "换别处去掉同样多，是 {elsewhere}。模型依靠的不是这张图亮的地方。",
        "Without the brightest {share} of the map, {herb} goes from {whole} to {most}, but without "
        "the dullest {share} to {least}; with as much taken elsewhere, to {elsewhere}. The model "
        "goes by other places than this map shows.",
    ),
    "open": Text(
        "去掉图上最亮的 {share}，{herb}从 {whole} 变为 {most}；去掉最暗的 {share}，是 {least}；"
        "换别处去掉同样多，是 {elsewhere}。差别太小，看不出这张图对不对：照片里或者处处都认得出它，"
        "或者处处都认不出。",
        "Without the brightest {share} of the map, {herb} goes from {whole} to {most}; without the "
        "dullest {share}, to {least}; with as much taken elsewhere, to {elsewhere}. Too little "
        "differs to tell whether the map is right: the herb shows all over the photo, or nowhere.",
    ),
}
FAITH_EMPTY = Text(
    "图是空的，没有可以检验的。", "The map is empty, so there is nothing to put to the test."
)
FAITH_CONTRAST = Text(
    "对比图说的是两味药之差，这项检验只适用于单味药的图。",
    "A contrast map is about two herbs; this test is for the maps of one.",
)
CURVES = Text("遮住或恢复照片的一部分", "Covering and uncovering the photo")
DELETION = Text("从亮处起遮住", "covered, brightest first")
INSERTION = Text("从亮处起恢复", "uncovered, brightest first")
AREA = Text("面积 %", "area %")
ROAD = Text("ROAD", "ROAD")
ROAD_MORE = Text(
    "去掉最亮与最暗的 {}，概率之差的平均；0 是乱猜，越大越好",
    "probability without the dullest less without the brightest {}, on average; 0 is a guess, "
    "higher is better",
)
ROAD_SHARE = Text("去掉", "Taken away")
ROAD_MOST = Text("最亮处", "brightest")
ROAD_LEAST = Text("最暗处", "dullest")
ROAD_ELSEWHERE = Text("别处", "elsewhere")
DELETION_AUC = Text("删除曲线下面积", "Deletion, area")
INSERTION_AUC = Text("恢复曲线下面积", "Insertion, area")
LOWER = Text("越小越好", "lower is better")
HIGHER = Text("越大越好", "higher is better")
DETAILS = Text("数据", "Figures")
