"""Test problems, one a file. Imported as optbench.problems.NAME, never as problems.NAME."""

from optbench.interfaces import Problem

from .autoencoder import Autoencoder
from .beale import Beale
from .cifar10_3c3d import Cifar103c3d
from .cliff import Cliff
from .cnn import CNN
from .coordinate_network import CoordinateNetwork
from .deep_linear import DeepLinear
from .digits_2c2d import Digits2c2d
from .digits_vae import DigitsVAE
from .fmnist_2c2d import Fmnist2c2d
from .heteroscedastic_regression import HeteroscedasticRegression
from .linear_regression import LinearRegression
from .logistic_regression import LogisticRegression
from .mlp import MLP
from .mnist_vae import MnistVAE
from .module import Module
from .multi_task import MultiTask
from .patches_3c3d import Patches3c3d
from .quadratic import Quadratic
from .quadratic_deep import QuadraticDeep
from .rastrigin import Rastrigin
from .resnet import ResNet
from .rnn import RNN
from .rosenbrock import Rosenbrock
from .saddle import Saddle
from .transformer import Transformer
from .vae import VAE

PROBLEMS: dict[str, type[Problem]] = {
    "autoencoder": Autoencoder,
    "beale": Beale,
    "cifar10_3c3d": Cifar103c3d,
    "cliff": Cliff,
    "cnn": CNN,
    "coordinate_network": CoordinateNetwork,
    "deep_linear": DeepLinear,
    "digits_2c2d": Digits2c2d,
    "digits_vae": DigitsVAE,
    "fmnist_2c2d": Fmnist2c2d,
    "heteroscedastic_regression": HeteroscedasticRegression,
    "linear_regression": LinearRegression,
    "logistic_regression": LogisticRegression,
    "mlp": MLP,
    "mnist_vae": MnistVAE,
    "module": Module,
    "multi_task": MultiTask,
    "patches_3c3d": Patches3c3d,
    "quadratic": Quadratic,
    "quadratic_deep": QuadraticDeep,
    "rastrigin": Rastrigin,
    "resnet": ResNet,
    "rnn": RNN,
    "rosenbrock": Rosenbrock,
    "saddle": Saddle,
    "transformer": Transformer,
    "vae": VAE,
}
