"""Networks over maps."""

import torch
import torch.nn.functional as F
from torch import nn


class Vgg11(nn.Module):
    """VGG-11 with batch norm, a sixteenth of the width, for 32 x 32 images."""

    def __init__(self, widths=(4, "pool", 8, "pool", 16, 16, "pool", 32, 32, "pool", 32, 32, "pool"), classes=10):
        super().__init__()
        layers, before = [], 3
        for width in widths:
            if width == "pool":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            before = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(before, 24), nn.ReLU(True), nn.Dropout(0.0), nn.Linear(24, 24), nn.ReLU(True), nn.Dropout(0.0),
            nn.Linear(24, classes),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))

    def example(self):
        return torch.randn(3, 3, 32, 32, dtype=torch.float64)


class BasicBlock(nn.Module):
    """Two convolutions, with a shortcut of wires (option A of He et al.) or of a convolution (option B)."""

    def __init__(self, before, width, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or before != width:
            wires = LambdaLayer(
                lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, (width - before) // 2, (width - before + 1) // 2))
            )
            conv = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))
            self.shortcut = wires if option == "A" else conv

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class LambdaLayer(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Resnet20(nn.Module):
    """ResNet-20 for CIFAR with shortcuts of wires, a quarter of the width."""

    option = "A"

    def __init__(self, widths=(4, 8, 16), blocks=3, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        stages, before = [], widths[0]
        for number, width in enumerate(widths):
            parts = []
            for i in range(blocks):
                parts.append(BasicBlock(before, width, 2 if number and not i else 1, self.option))
                before = width
            stages.append(nn.Sequential(*parts))
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(before, classes)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.layer3(self.layer2(self.layer1(out)))
        out = F.avg_pool2d(out, out.size()[3])
        return self.linear(out.view(out.size(0), -1))

    def example(self):
        return torch.randn(2, 3, 16, 16, dtype=torch.float64)


class Resnet20Convolved(Resnet20):
    """The same with shortcuts of convolutions."""

    option = "B"


class PaddedStem(nn.Module):
    """The stem of ResNet-18: a wide convolution with stride 2, then a padded pool with stride 2."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(4, 3)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))

    def example(self):
        return torch.randn(2, 3, 16, 20, dtype=torch.float64)


class InvertedResidual(nn.Module):
    """The block of MobileNetV2: pointwise, depthwise, pointwise."""

    def __init__(self, before, width, stride, expansion):
        super().__init__()
        inner = before * expansion
        self.residual = stride == 1 and before == width
        self.conv = nn.Sequential(
            nn.Conv2d(before, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU6(inplace=True),
            nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False), nn.BatchNorm2d(inner),
            nn.ReLU6(inplace=True), nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class Mobilenet(nn.Module):
    """Blocks of depthwise and pointwise convolutions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(inplace=True))
        self.blocks = nn.Sequential(
            InvertedResidual(4, 4, 1, 2), InvertedResidual(4, 6, 2, 3), InvertedResidual(6, 6, 1, 2)
        )
        self.head = nn.Linear(6, 5)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean([2, 3]))

    def example(self):
        return torch.randn(2, 3, 12, 12, dtype=torch.float64)


class GroupedConvolutions(nn.Module):
    """Groups of two maps, a multiplier of two maps for each, and kernels that are not square."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, (3, 1), padding=(1, 0), groups=2)
        self.multiplied = nn.Conv2d(8, 16, (1, 3), stride=(1, 2), padding=(0, 1), groups=8)
        self.same = nn.Conv2d(16, 3, 3, padding="same")

    def forward(self, x):
        return self.same(F.silu(self.multiplied(F.relu(self.grouped(x)))))

    def example(self):
        return torch.randn(2, 4, 5, 7, dtype=torch.float64)


class AsymmetricPadding(nn.Module):
    """Rows and columns of zeros on one side, as TensorFlow pads, by a function and by a module."""

    def __init__(self):
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 1, 2, 0))
        self.one, self.two = nn.Conv2d(2, 3, 3, stride=2), nn.Conv2d(3, 3, 3, stride=2, padding=0, groups=3)

    def forward(self, x):
        x = F.relu(self.one(F.pad(x, (0, 1, 0, 1))))
        return self.two(self.pad(x))

    def example(self):
        return torch.randn(2, 2, 8, 8, dtype=torch.float64)


class AveragePools(nn.Module):
    """Average pools: with and without a stride, to a size, and over all positions."""

    def __init__(self):
        super().__init__()
        self.conv, self.next, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 1), nn.Linear(4 * 4, 3)
        self.pool, self.to_size = nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2)

    def forward(self, x):
        x = self.pool(F.relu(self.conv(x)))
        x = F.avg_pool2d(self.next(x), 3, stride=1, padding=1)
        return self.last(self.to_size(x).flatten(1))

    def example(self):
        return torch.randn(2, 2, 8, 8, dtype=torch.float64)


class DenseMaps(nn.Module):
    """Maps of all layers before, side by side."""

    def __init__(self, width=3, growth=2, depth=3):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(width + growth * i) for i in range(depth))
        self.convs = nn.ModuleList(
            nn.Conv2d(width + growth * i, growth, 3, padding=1, bias=False) for i in range(depth)
        )
        self.transition = nn.Sequential(nn.BatchNorm2d(width + growth * depth), nn.ReLU(), nn.AvgPool2d(2))
        self.head = nn.Linear(width + growth * depth, 2)

    def forward(self, x):
        features = [x]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        return self.head(self.transition(torch.cat(features, 1)).mean((2, 3)))

    def example(self):
        return torch.randn(3, 3, 6, 6, dtype=torch.float64)


class Concatenated(nn.Module):
    """Maps of an early layer beside those of a late one of the same size, as in a U-Net."""

    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 5, padding=2)
        self.up, self.out = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(6, 1, 1)

    def forward(self, x):
        early = F.leaky_relu(self.down(x), 0.1)
        late = F.leaky_relu(self.deep(early), 0.1)
        late = F.leaky_relu(self.up(torch.cat((late, early), dim=1)), 0.1)
        return self.out(torch.cat((x, late), dim=1))

    def example(self):
        return torch.randn(2, 2, 6, 5, dtype=torch.float64)


class ConvnextBlock(nn.Module):
    """A depthwise convolution, then layer norm and an MLP with the channels last."""

    def __init__(self, width):
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(1e-6 * torch.ones(width))

    def forward(self, x):
        shortcut, x = x, self.dwconv(x).permute(0, 2, 3, 1)
        x = self.gamma * self.pwconv2(F.gelu(self.pwconv1(self.norm(x))))
        return shortcut + x.permute(0, 3, 1, 2)


class Convnext(nn.Module):
    """Patches, blocks with the channels last, a strided convolution between them, and a head after a mean."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 2, stride=2), nn.LayerNorm(4)
        self.one, self.down, self.two = ConvnextBlock(4), nn.Conv2d(4, 6, 2, stride=2), ConvnextBlock(6)
        self.last, self.head = nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x):
        x = self.norm(self.stem(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = self.two(self.down(self.one(x)))
        return self.head(self.last(x.mean([-2, -1])))

    def example(self):
        return torch.randn(2, 3, 12, 12, dtype=torch.float64)


class ChannelsLast(nn.Module):
    """Images with the channels last, and a dense layer over all pixels that keeps their order."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 5 * 6, 3)

    def forward(self, x):
        x = F.relu(self.conv(x.permute(0, 3, 1, 2)))
        return self.head(x.permute(0, 2, 3, 1).reshape(x.shape[0], -1))

    def example(self):
        return torch.randn(2, 5, 6, 3, dtype=torch.float64)
