/// What a word does to the mentions around it.
enum Cue: Sendable, Equatable {
    /// Looks like one of the others and is none: "no change in".
    case none
    /// Denies what follows.
    case negate
    /// "clear of", "free of": denies what follows, and calls normal what stands before.
    case clearOf
    /// Weighs what follows, as far as the noun phrase ("possible") or the clause ("may represent") goes.
    case doubtPhrase, doubtClause
    /// "cannot exclude": weighs what follows although a negation stands in it.
    case doubtDespiteNegation
    /// Denies, or weighs, what stands before.
    case denyBefore, doubtBefore
    /// Ends every scope.
    case stop
    case with, and, or, verb, perceived, determiner, preposition
    /// An adjective that states: behind a comma it ends a negated list ("no effusion, small nodule").
    case assertive
    case judgement(Judgement)
}

/// What is said of an anatomy.
enum Judgement: Sendable, Equatable {
    case normal, enlarged, borderline
    /// Unchanged, without saying from what.
    case stable
    /// Cannot be judged: obscured, not well seen.
    case unclear
}

enum CuePhrases {
    static let table: [(Cue, String)] = [
        (.none, """
            no ~2 change*, no ~2 changed, without ~2 change*, not ~2 changed, not only, not necessarily, no ~1 increase|decrease|improvement|progression|difference, not ~1 increased|decreased|improved, not without, no absence of,
            no ~1 comparison*, no prior* ~1 study|studies|film*|exam*|radiograph*|comparison*?, without ~1 comparison, no previous ~1 study|film*|exam*|radiograph*|comparison*?, no longer than, no more than, no less than, not otherwise specified, no doubt, not for clinical use, no further, normal saline, no known, hard of, gram negative,
            clear margin*, with regard to, with respect to, with the exception of, normal ~1 variant, no convincing change
            """),
        (.negate, """
            no, not, without, w/o, absence of, lack of, lacks, lacking, negative for, neither, nor, denies, deny, excludes, exclude, excluding, rules out, ruling out, never, none of,
            fails to show|demonstrate|reveal, fail to show|demonstrate|reveal, failed to show, resolution of, resolution of|in, interval resolution of|in, clearing of, disappearance of, removal of, free from, clear from, rather than, instead of, resorption of, doesnt, dont, isnt, arent, hasnt, evacuation of, no longer, unlikely to represent|be, exclusion of, nonvisualization of
            """),
        (.clearOf, "clear of, free of, clear without, clear with no"),
        (.doubtPhrase, """
            possible, possibly, probable, probably, questionable, questionably, question of, question, suspected, suspect, potential, potentially, presumed, presumably, presumptive, suspicious|worrisome|concerning for, suspicion|concern|concerns of|for|about, equivocal, query, perhaps,
            less likely, unlikely, doubtful, favored, favor, favors, favoring, apparent, maybe, conceivabl*, indeterminate, differential diagnos* ~3 include*, differential include*|of, differential ~1 considerations? include*, versus, vs, early or developing, developing or early, to evaluate for, evaluate for, assess for, correlate for, correlation for, correlate clinically for, rule out, r/o, clinical ~2 concern for, symptoms of, risk of|for, consider, considered, consideration* include*, considerations, either, suggestion of, hint of
            """),
        (.doubtClause, """
            in the ~2 clinical setting|context|situation, if clinically, may|might|could|can|would, may|might|could|can|would ~2 represent|reflect|indicate|be|suggest|include|relate|signify|have, suggest*, suggestive of|for, raise* ~3 possibility|question|concern|suspicion of|for|that, possibility of, likelihood of, may|might|could|can|would be ~1 due|secondary|related to, probably|possibly|presumably represent*|reflect*|due|related|secondary|reflecting ~1 to?, thought to be|represent|reflect, felt to be|represent|reflect, questioned, attributed, appears to represent, favored to represent|be|reflect
            """),
        (.doubtDespiteNegation, """
            cannot ~3 exclude|excluding, cannot ~2 rule|ruled out, can not ~3 exclude, can not ~2 rule|ruled out, cant ~2 exclude|rule out?, could not ~2 exclude, couldnt ~2 exclude, unable to ~2 exclude|rule out?, not ~2 exclude, not ~2 rule out, difficult to ~2 exclude, does not ~2 exclude, not ~2 excluding, no new, without new, not new, no definite new, no evidence ~1 of new, no ~1 new, limited ~2 for
            """),
        (.denyBefore, """
            absent, is|are|was|were ~1 absent, not ~3 seen|identified|present|demonstrated|visualized|visible|detected|evident|noted|apparent|found|appreciated|observed, no longer ~2 seen|identified|present|visualized|evident|visible|appreciated|noted|demonstrated|apparent,
            isnt|arent|wasnt|werent ~2 seen|identified|present|visualized|evident|visible, has|have ~2 resolved|cleared|disappeared|resorbed, had|is|are|was|were|been ~1 resolved, resolved, ruled out, is|are|been|was excluded, been removed|extracted|withdrawn, is|are|was|were removed, removed, resolves,
            none, nil, not ~1 a feature, may not be ~1 demonstrated|visualized|seen|evident|apparent|detected, interval resolution
            """),
        (.doubtBefore, """
            cannot ~2 excluded, cannot be ~2 excluded|ruled out?, can not be ~2 excluded|ruled out?, cant be ~2 excluded|ruled out?, could not be ~2 excluded|ruled out?, not ~2 excluded, not ~2 ruled out, is|are|be|remain|remains ~1 possible|suspected|questioned|considered|probable|questionable|uncertain|doubtful|unlikely|equivocal|indeterminate|suggested|favored, may|might|could|can|would be ~1 present|considered|there|seen, possible, suspected, not ~2 well ~1 seen|evaluated|visualized|assessed|demonstrated, not ~2 clearly seen|visualized|identified|demonstrated, not ~1 evaluated|assessed|assessable|definitely, less likely, unlikely, is|are|be ~1 difficult|hard to ~2 assess|evaluate|exclude, incompletely|poorly evaluated|assessed|visualized|seen, in|among the? differential, is|be|are ~1 consideration*, to be considered, should be considered, a possibility, may|might|could ~1 have this appearance, could ~1 appear|give
            """),
        (.stop, """
            but, however, although, though, except, aside from, apart from, other than, besides, nevertheless, yet, while, whereas, because, since, which, who, otherwise, except for, despite, in spite of, given, where, when, whether, as, superimposed, demonstrating, showing, not for clinical use, there, then, still, remainder, recommend*, for which, so, therefore
            """),
        (.with, "with, w/, along with, in addition to, accompanied by, plus"),
        (.and, "and, also"),
        (.or, "or, nor, and or, and/or, either"),
        (.verb, """
            is, are, was, were, has, have, had, remains, remain, appears, appear, appeared, demonstrates, demonstrate, demonstrated, shows, show, showed, reveals, reveal, represents, represent, reflects, indicates, projects, overlies, overlie, measures, extends, lies, contains, terminates, ends, seems, seem, become*, obscures, causes, being, been, be
            """),
        (.perceived, "seen, identified, noted, present, visualized, visible, evident, detected, found, appreciated, observed, apparent, exists"),
        (.determiner, "the, this, these, those, it, its, that, a, an, some, another, patient"),
        (.preposition, "in, at, within, over, near, on, into, along, behind, overlying, projecting, involving, from, adjacent, to, for, due to, secondary to, by"),
        (.assertive, """
            small, mild, mildly, moderate, moderately, tiny, trace, minimal, minor, slight, slightly, severe, marked, bilateral, left, right, persistent, new, worsening, improving, improved, multiple, several, few, patchy, old, known, residual, chronic, scattered, mildly, decreased, decreasing, increasing, status, s/p, bibasilar, basilar, low, calcified, again, redemonstrated, redemonstration, interval, two, one, three, post, healed
            """),
        (.judgement(.normal), """
            normal, normally, unremarkable, within ~1 normal ~1 limits|range|size?, within ~1 limits, within limits of normal, wnl, intact, clear, clean, sharp, patent, well ~1 expanded|aerated|inflated|ventilated, nonenlarged, non enlarged|widened|dilated, normal in size, in normal limits, upper ~1 limit|limits ~3 normal*, upper ~1 normal, top ~1 normal, high normal, upper normal range, not remarkable, unobstructed, negative, appropriate, preserved, in|of normal size|caliber|limits, normal ~1 sized, cleared bilaterally
            """),
        (.judgement(.enlarged), "enlarg*, prominen*, widen*, wide, increased, large, largely, dilated, abnormal, abnormally, coarse*, accentuat*, thickened, big, enlarging, full, fullness, heavy, generous, globular"),
        (.judgement(.borderline), "borderline, border line, borderline ~1 enlarged|prominent|large, top ~1 limits, mildly prominent, prominent but normal, near ~1 upper ~1 limits"),
        (.judgement(.stable), "stable, unchanged, similar, no ~3 change*, no ~2 changed, not ~3 changed, without ~3 change*, same"),
        (.judgement(.unclear), """
            obscured, obscuring, indeterminate, not ~1 well ~1 seen|evaluated|visualized|assessed|defined, difficult to ~1 assess|evaluate|determine, cannot be ~2 assessed|evaluated|determined|seen, partially obscured, poorly evaluated|assessed|visualized|seen|defined
            """),
    ]
}

/// Words that only make sense beside an earlier image.
enum ComparisonPhrases {
    static let table: [(Bool, String)] = [
        // true: names an earlier study. Not counted in a sentence that recommends one.
        (true, """
            compared|comparison|compare to|with ~3 prior|previous|earlier|last|study|examination|exam|radiograph*|film*|prior, in comparison with|to, as compared, when compared, compared to|with, comparison is|was made,
            prior|previous|earlier|preceding|last|old|older|outside ~3 study|studies|exam|exams|examination*|film*|radiograph*|image*|xray*|cxr|ct|imaging, since the? ~2 prior|previous|last|earlier|preceding, from the? ~1 prior|previous|earlier, than on? the? prior|previous|before, to the? prior|previous, than ~1 previously, than before, priors
            """),
        (false, """
            unchanged, no|without|little ~3 change|changed|changes, not ~3 changed, stable, stability, interval, again ~1 seen|noted|demonstrated|identified|visualized|evident|present|is|are|appears|shows, once again, redemonstrat*, re demonstrat*, previously, as before, similar to|in appearance, still ~1 present|seen|visible|evident,
            persist*, worsen*, worse, improv*, has|have|had ~2 resolved|cleared|increased|decreased|progressed|developed|enlarged|diminished|grown, increase in|of ~3 since, resolved, resolving, resolution, progress*, new, newly, remain, remains, remained, no longer, increasing, decreasing, evolving, recurr*, reaccumulat*, slightly|mildly|more|less increased|decreased|prominent|conspicuous than, is|are ~1 now, now ~1 seen|present|shows|demonstrates, follow up of, regress*, enlarging
            """),
    ]

    /// Their presence in a sentence says that an earlier study is asked for, not described.
    static let requests: [(Bool, String)] = [(true, "recommend*, suggested, advised, advise, obtain, if available, would be helpful, consider, correlat*, no prior*|comparison*, not available, without ~1 comparison, no previous, not ~2 available, unavailable")]
}
