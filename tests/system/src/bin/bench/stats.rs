//! Ratios of paired runs, with the interval in which the true one lies.

/// A ratio, AlphaOS to Linux, from pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Geometric mean.
    pub mean: f64,
    /// 95 % interval, by Student's t over the logarithms; none from one pair.
    pub interval: Option<(f64, f64)>,
    pub pairs: usize,
}

pub fn ratio(pairs: &[(f64, f64)]) -> Ratio {
    let logs: Vec<f64> = pairs.iter().map(|(ours, theirs)| (ours / theirs).ln()).collect();
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let interval = (logs.len() > 1).then(|| {
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let half = student(logs.len() - 1) * (variance / count).sqrt();
        ((mean - half).exp(), (mean + half).exp())
    });
    Ratio { mean: mean.exp(), interval, pairs: logs.len() }
}

/// The 97.5 % point of Student's t.
fn student(freedom: usize) -> f64 {
    const POINTS: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
        2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    POINTS.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96)
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_pairs_have_a_ratio_of_one_without_doubt() {
        let ratio = ratio(&[(2.0, 2.0), (5.0, 5.0)]);
        assert_eq!((ratio.mean, ratio.interval), (1.0, Some((1.0, 1.0))));
    }

    #[test]
    fn the_interval_holds_the_mean_and_narrows_with_pairs() {
        let noisy = |n: usize| -> Vec<(f64, f64)> { (0..n).map(|i| (1.0 + (i % 3) as f64 * 0.1, 1.0)).collect() };
        let width = |n| {
            let ratio = ratio(&noisy(n));
            let (low, high) = ratio.interval.unwrap();
            assert!(low < ratio.mean && ratio.mean < high);
            high - low
        };
        assert!(width(12) < width(3));
        assert_eq!(ratio(&[(1.0, 2.0)]), Ratio { mean: 0.5, interval: None, pairs: 1 });
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
