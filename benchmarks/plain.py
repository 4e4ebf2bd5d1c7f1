"""What most demos are: torchvision's ResNet-50, softmax, `gr.Interface`. `app.py` is measured against it.

The weights are those of the model, so that both answer the same.
"""

import gradio as gr
import torch
import torchvision
from PIL import Image

from herbdemo.registry import Registry

checkpoint = Registry().load()
network = torchvision.models.resnet50(num_classes=len(checkpoint.herbs)).eval()
network.load_state_dict(checkpoint.network.state_dict())
transform = torchvision.transforms.Compose(
    [
        torchvision.transforms.Resize((224, 224)),
        torchvision.transforms.ToTensor(),
        torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


def predict(image: Image.Image) -> dict[str, float]:
    with torch.inference_mode():
        scores = network(transform(image)[None]).softmax(dim=1)[0]
    return dict(zip(checkpoint.herbs, scores.tolist(), strict=True))


demo = gr.Interface(predict, gr.Image(type="pil"), gr.Label(num_top_classes=5))

if __name__ == "__main__":
    demo.launch()
