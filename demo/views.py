"""The two ways rays are laid out: from a camera, and parallel, from the sun or the sky."""

from __future__ import annotations

import numpy as np
from raycast import Floats, Vector, Window

NEAR = 0.3
"""Metres ahead of the camera at which solids are clipped."""


class Camera:
    """A pinhole camera that turns about y (yaw) and then nods (pitch)."""

    def __init__(
        self, size: tuple[int, int], eye: Vector, yaw: float, pitch: float, focal: float
    ) -> None:
        """`size` is (H, W); yaw (to the right) and pitch (up) in radians; focal in pixels."""
        self.size = size
        self.eye = np.array(eye, np.float32)
        self.focal = focal
        turn = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
        nod = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
        self.world_from_camera = (np.array(turn) @ np.array(nod)).astype(np.float32)
        height, width = size
        across = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / np.float32(focal)
        up = (height / 2 - np.arange(height, dtype=np.float32) - 0.5) / np.float32(focal)
        rays = np.stack(np.broadcast_arrays(across[None, :], up[:, None], np.float32(1)))
        rays /= np.sqrt((rays * rays).sum(axis=0))
        self.direction = np.tensordot(self.world_from_camera, rays, 1).astype(np.float32)

    def rays(self, window: Window) -> tuple[Floats, Floats]:
        return self.eye[:, None, None], self.direction[:, window[0], window[1]]

    def outline(self, points: Floats) -> Floats:
        points = self.world_from_camera.T @ (points - self.eye[:, None])
        front, behind = points[:, points[2] > NEAR], points[:, points[2] <= NEAR]
        # Lines from front to behind end at the near plane; beyond it they would project mirrored.
        share = (front[2, :, None] - NEAR) / (front[2, :, None] - behind[2])
        ends = front[:, :, None] + share * (behind[:, None, :] - front[:, :, None])
        across, up, ahead = np.concatenate([front, ends.reshape(3, -1)], axis=1)
        scale = self.focal / ahead
        row = self.size[0] / 2 - up * scale
        return np.stack([row, self.size[1] / 2 + across * scale]).astype(np.float32)


class GroundGrid:
    """Parallel rays from a distant light, laid out by where they would meet the ground y = 0.

    Row is z and column is x, so what a ray meets says what lies in the light of a ground point.
    """

    TOP = 200.0
    """Metres along the ray from its origin to the ground."""

    def __init__(
        self, to_light: Floats, low: tuple[float, float], high: tuple[float, float], spacing: float
    ) -> None:
        """`to_light` is a unit vector; `low` and `high` are (z, x) limits, spacing in metres."""
        self.to_light = to_light
        self.low = low
        self.spacing = spacing
        self.size = (int((high[0] - low[0]) / spacing), int((high[1] - low[1]) / spacing))
        z = low[0] + (np.arange(self.size[0], dtype=np.float32) + 0.5) * spacing
        x = low[1] + (np.arange(self.size[1], dtype=np.float32) + 0.5) * spacing
        ground = np.stack(np.broadcast_arrays(x[None, :], np.float32(0), z[:, None]))
        self.origin = (ground + self.TOP * to_light[:, None, None]).astype(np.float32)

    def rays(self, window: Window) -> tuple[Floats, Floats]:
        return self.origin[:, window[0], window[1]], -self.to_light[:, None, None]

    def outline(self, points: Floats) -> Floats:
        fall = points[1] / self.to_light[1]
        row = (points[2] - fall * self.to_light[2] - self.low[0]) / self.spacing - 0.5
        column = (points[0] - fall * self.to_light[0] - self.low[1]) / self.spacing - 0.5
        return np.stack([row, column])

    def distance(self, points: Floats) -> Floats:
        """(N,) metres from the origin of the ray through each of (3, N) points to the point."""
        distance: Floats = np.float32(self.TOP) - points[1] / self.to_light[1]
        return distance
