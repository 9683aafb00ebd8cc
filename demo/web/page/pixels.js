/* The two passes over a picture's pixels, in WebGL 2: the thumbnail before the estimator and the
   apply after it. `dehaze.runtime` has the same two in pixel_passes.py. */

import { applyWith, BLOCK_SUMS, EVERYWHERE } from "./shaders.js";

/** WebGL 2 is missing. */
export class NoWebGL extends Error {}

export class Pixels {
  /** @param canvas what `show` draws into, at the picture's own size. */
  constructor(canvas) {
    this.canvas = canvas;
    const gl = canvas.getContext("webgl2", {
      premultipliedAlpha: false, antialias: false, depth: false,
    });
    if (!gl) throw new NoWebGL();
    this.gl = gl;
    this.blockSums = program(gl, BLOCK_SUMS, ["hazy", "stride"]);
    this.applies = {}; // programs, by texels per cell of the grid
    this.sums = gl.createRenderbuffer();
    this.sumsTarget = gl.createFramebuffer();
    this.grid = texture(gl);
    this.spare = null; // a frame that was released, for the next one of its size
  }

  /** The longest side of a picture, in pixels, that this browser can take. */
  get largestSide() {
    const { gl } = this;
    const [width, height] = gl.getParameter(gl.MAX_VIEWPORT_DIMS);
    return Math.min(width, height, gl.getParameter(gl.MAX_TEXTURE_SIZE));
  }

  /** Brings a bitmap to the GPU; `show` or `release` takes it from there. */
  load(bitmap) {
    const { gl, spare } = this;
    const { width, height } = bitmap;
    if (spare?.width === width && spare.height === height) {
      this.spare = null;
      gl.bindTexture(gl.TEXTURE_2D, spare.hazy);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
      return { hazy: spare.hazy, width, height };
    }
    const hazy = texture(gl);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    return { hazy, width, height };
  }

  release(frame) {
    if (this.spare) this.gl.deleteTexture(this.spare.hazy);
    this.spare = frame;
  }

  /** Means of square blocks: (3, rows, columns) RGB in [0, 1]. Beyond the picture its last row and
      column repeat. */
  blockMeans(frame, stride, rows, columns) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.sumsTarget);
    gl.bindRenderbuffer(gl.RENDERBUFFER, this.sums);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA32UI, columns, rows);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, this.sums);
    this.draw(this.blockSums, columns, rows, { hazy: frame.hazy }, { stride });
    const sums = new Uint32Array(4 * rows * columns);
    gl.readPixels(0, 0, columns, rows, gl.RGBA_INTEGER, gl.UNSIGNED_INT, sums);
    const count = rows * columns;
    const means = new Float32Array(3 * count);
    const unit = 1 / (255 * stride * stride);
    for (let i = 0; i < count; i++)
      for (let colour = 0; colour < 3; colour++)
        means[colour * count + i] = sums[4 * i + colour] * unit;
    return means;
  }

  /** Draws a frame without its haze, and keeps the frame and its grid for `draw again`.

      @param grid {values: (rows, columns, channels), rows, columns, channels}: the gains, one or one
        for each colour, and the biases of R, G, B.
      @param cell pixels per cell of the grid. */
  show(frame, grid, cell, strength) {
    if (this.shown && this.shown.frame !== frame) this.release(this.shown.frame);
    this.shown = { frame, cell, texels: this.loadGrid(grid) };
    const { canvas } = this;
    if (canvas.width !== frame.width || canvas.height !== frame.height) {
      canvas.width = frame.width;
      canvas.height = frame.height;
    }
    this.drawShown(strength);
  }

  /** Draws what was shown last with another strength: 0 is the picture itself, 1 takes all haze. */
  drawShown(strength) {
    const { gl, canvas, grid, applies } = this;
    const { frame, cell, texels } = this.shown;
    applies[texels] ??= program(gl, applyWith(texels), ["hazy", "grid", "cell", "strength"]);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    const textures = { hazy: frame.hazy, grid };
    this.draw(applies[texels], canvas.width, canvas.height, textures, { cell }, { strength });
  }

  /** Brings the grid to the GPU; returns how many texels a cell takes, see `applyWith`. */
  loadGrid({ values, rows, columns, channels }) {
    const { gl } = this;
    const texels = channels === 4 ? 1 : 2;
    gl.bindTexture(gl.TEXTURE_2D, this.grid);
    gl.texImage2D(
      gl.TEXTURE_2D, 0, gl.RGBA32F, texels * columns, rows, 0, gl.RGBA, gl.FLOAT,
      texels === 1 ? values : threeAndThree(values),
    );
    return texels;
  }

  draw({ id, places }, width, height, textures, integers, floats = {}) {
    const { gl } = this;
    gl.useProgram(id);
    Object.entries(textures).forEach(([name, content], unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, content);
      gl.uniform1i(places[name], unit);
    });
    for (const [name, value] of Object.entries(integers)) gl.uniform1i(places[name], value);
    for (const [name, value] of Object.entries(floats)) gl.uniform1f(places[name], value);
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.activeTexture(gl.TEXTURE0);
  }
}

/** Three gains and three biases of each cell as two texels of four numbers. */
function threeAndThree(values) {
  const padded = new Float32Array((values.length / 3) * 4);
  for (let i = 0; i < values.length / 3; i++)
    for (let colour = 0; colour < 3; colour++) padded[4 * i + colour] = values[3 * i + colour];
  return padded;
}

function texture(gl) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
    gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST); // no mipmaps: texelFetch needs none
  return made;
}

function program(gl, fragment, uniforms) {
  const id = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, EVERYWHERE], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(id, shader);
  }
  gl.linkProgram(id);
  if (!gl.getProgramParameter(id, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(`a shader does not compile here: ${gl.getProgramInfoLog(id)}`);
  const places = uniforms.map((name) => [name, gl.getUniformLocation(id, name)]);
  return { id, places: Object.fromEntries(places) };
}
