// What the map looks at: a centre in metres and how many pixels a metre is.  North is up.
const LEAST = 0.02, MOST = 24;

export class Camera {
  x = 8;
  z = 8;
  scale = 4;
  wide = 1;
  tall = 1;

  toScreen(x: number, z: number): [number, number] {
    return [this.wide / 2 + (x - this.x) * this.scale, this.tall / 2 - (z - this.z) * this.scale];
  }

  toWorld(px: number, py: number): [number, number] {
    return [this.x + (px - this.wide / 2) / this.scale, this.z - (py - this.tall / 2) / this.scale];
  }

  /** Zooms so that what is under this pixel stays there. */
  zoom(factor: number, px = this.wide / 2, py = this.tall / 2): void {
    const [x, z] = this.toWorld(px, py);
    this.scale = Math.max(LEAST, Math.min(MOST, this.scale * factor));
    const [nx, nz] = this.toWorld(px, py);
    this.x += x - nx;
    this.z += z - nz;
  }

  pan(dx: number, dy: number): void {
    this.x -= dx / this.scale;
    this.z += dy / this.scale;
  }

  fit(points: readonly [number, number][]): void {
    if (!points.length) return;
    const xs = points.map((point) => point[0]), zs = points.map((point) => point[1]);
    const [west, east, south, north] = [Math.min(...xs), Math.max(...xs), Math.min(...zs), Math.max(...zs)];
    this.x = (west + east) / 2;
    this.z = (south + north) / 2;
    const room = Math.min((this.wide - 96) / Math.max(east - west, 28), (this.tall - 96) / Math.max(north - south, 28));
    this.scale = Math.max(LEAST, Math.min(16, room));
  }
}
