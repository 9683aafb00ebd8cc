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

/** clear = gain * hazy + bias, with the grid interpolated bilinearly between its cells' centres. */
export const APPLY = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
uniform sampler2D hazy, gains, biases;
uniform int cell;
uniform float strength;
out vec4 clear;

vec3 between(sampler2D grid, vec2 position) {
  ivec2 last = textureSize(grid, 0) - 1;
  ivec2 lower = ivec2(floor(position)), upper = min(lower + 1, last);
  lower = max(lower, ivec2(0));
  vec2 share = fract(position);
  vec3 above = mix(texelFetch(grid, lower, 0).rgb,
                   texelFetch(grid, ivec2(upper.x, lower.y), 0).rgb, share.x);
  vec3 below = mix(texelFetch(grid, ivec2(lower.x, upper.y), 0).rgb,
                   texelFetch(grid, upper, 0).rgb, share.x);
  return mix(above, below, share.y);
}

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  pixel.y = textureSize(hazy, 0).y - 1 - pixel.y; // a canvas begins at its lower row
  vec2 position = (vec2(pixel) + 0.5) / float(cell) - 0.5;
  vec4 colour = texelFetch(hazy, pixel, 0);
  vec3 gain = mix(vec3(1.0), between(gains, position), strength);
  vec3 bias = strength * between(biases, position);
  clear = vec4(clamp(colour.rgb * gain + bias, 0.0, 1.0), colour.a);
}`;
