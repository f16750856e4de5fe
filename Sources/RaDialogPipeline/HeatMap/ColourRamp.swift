import Glibc

/// 256 colours from "nothing" to "most", perceptually uniform: equal steps along a path through Oklab (Ottosson 2020), whose distances
/// are differences as seen, with rising lightness, so that it also reads without colour vision.
package enum ColourRamp {
    package struct Colour: Sendable, Equatable {
        package var red: UInt8
        package var green: UInt8
        package var blue: UInt8

        package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
            self.red = red
            self.green = green
            self.blue = blue
        }
    }

    /// Corners of the path: indigo, magenta, orange, pale yellow.
    private static let corners = [Colour(52, 20, 130), Colour(176, 34, 130), Colour(245, 120, 50), Colour(255, 245, 160)]

    package static let colours: [Colour] = {
        let path = corners.map(oklab)
        let lengths = zip(path, path.dropFirst()).map { distance($0, $1) }
        let total = lengths.reduce(0, +)
        return (0..<256).map { step in
            var along = Double(step) / 255 * total
            var segment = 0
            while segment < lengths.count - 1, along > lengths[segment] {
                along -= lengths[segment]
                segment += 1
            }
            let share = min(along / lengths[segment], 1)
            return colour(path[segment] + (path[segment + 1] - path[segment]) * share)
        }
    }()

    /// How far two colours are apart as seen.
    package static func difference(_ one: Colour, _ other: Colour) -> Double { distance(oklab(one), oklab(other)) }

    /// Oklab's lightness, 0...1.
    package static func lightness(_ colour: Colour) -> Double { oklab(colour).x }

    // MARK: sRGB and Oklab. Source: https://bottosson.github.io/posts/oklab (public domain), IEC 61966-2-1.

    private static func oklab(_ colour: Colour) -> SIMD3<Double> {
        let (r, g, b) = (linear(colour.red), linear(colour.green), linear(colour.blue))
        let l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
        let m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
        let s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        return SIMD3(
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s)
    }

    private static func colour(_ lab: SIMD3<Double>) -> Colour {
        let l = cubed(lab.x + 0.3963377774 * lab.y + 0.2158037573 * lab.z)
        let m = cubed(lab.x - 0.1055613458 * lab.y - 0.0638541728 * lab.z)
        let s = cubed(lab.x - 0.0894841775 * lab.y - 1.2914855480 * lab.z)
        return Colour(
            encoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            encoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            encoded(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s))
    }

    private static func distance(_ one: SIMD3<Double>, _ other: SIMD3<Double>) -> Double {
        ((one - other) * (one - other)).sum().squareRoot()
    }

    private static func cubed(_ value: Double) -> Double { value * value * value }

    private static func linear(_ byte: UInt8) -> Double {
        let value = Double(byte) / 255
        return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }

    private static func encoded(_ value: Double) -> UInt8 {
        let inGamut = min(max(value, 0), 1)
        let curved = inGamut <= 0.0031308 ? inGamut * 12.92 : 1.055 * pow(inGamut, 1 / 2.4) - 0.055
        return UInt8((curved * 255).rounded())
    }
}
