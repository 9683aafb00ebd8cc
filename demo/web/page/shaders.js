/* What WebGL runs for every pixel. Row 0 of a texture is the picture's upper row. */

export const EVERYWHERE = `#version 300 es
void main() { // one triangle that covers the target
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

/** Sums of square blocks of pixels, 0 to 255 each; whole numbers, so they are exact. */
export const BLOCK_SUMS = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform sampler2D hazy;
uniform int stride;
out uvec4 sums;
void main() {
  ivec2 last = textureSize(hazy, 0) - 1;
  ivec2 first = ivec2(gl_FragCoord.xy) * stride;
  uvec3 sum = uvec3(0);
  for (int y = 0; y < stride; y++)
    for (int x = 0; x < stride; x++)
      sum += uvec3(texelFetch(hazy, min(first + ivec2(x, y), last), 0).rgb * 255.0 + 0.5);
  sums = uvec4(sum, 1u);
}`;

/** clear = gain * hazy + bias, with the grid interpolated bilinearly between its cells' centres.

    @param texels per cell of the grid: 1 holds a gain and the biases of R, G, B, 2 hold three gains
      and then the biases. */
export const applyWith = (texels) => `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform sampler2D hazy, grid;
uniform int cell;
uniform float strength;
out vec4 clear;

ivec2 lower, upper;
vec2 share;

vec4 between(int texel) { // 4 fetches; they are most of this shader's time without a GPU
  ivec2 from = lower * ivec2(${texels}, 1) + ivec2(texel, 0);
  ivec2 to = upper * ivec2(${texels}, 1) + ivec2(texel, 0);
  vec4 above = mix(texelFetch(grid, from, 0), texelFetch(grid, ivec2(to.x, from.y), 0), share.x);
  vec4 below = mix(texelFetch(grid, ivec2(from.x, to.y), 0), texelFetch(grid, to, 0), share.x);
  return mix(above, below, share.y);
}

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  pixel.y = textureSize(hazy, 0).y - 1 - pixel.y; // a canvas begins at its lower row
  vec2 position = (vec2(pixel) + 0.5) / float(cell) - 0.5;
  lower = ivec2(floor(position));
  upper = min(lower + 1, textureSize(grid, 0) / ivec2(${texels}, 1) - 1);
  lower = max(lower, ivec2(0));
  share = fract(position);
  vec4 first = between(0);
  vec3 gain = ${texels === 1 ? "first.rrr" : "first.rgb"};
  vec3 bias = ${texels === 1 ? "first.gba" : "between(1).rgb"};
  vec4 colour = texelFetch(hazy, pixel, 0);
  vec3 result = colour.rgb * mix(vec3(1.0), gain, strength) + strength * bias;
  clear = vec4(clamp(result, 0.0, 1.0), colour.a);
}`;
