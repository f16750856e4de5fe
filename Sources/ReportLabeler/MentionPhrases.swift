import ReportModel

/// What a phrase of the mention table stands for.
struct MentionMeaning: Sendable {
    enum Kind: Sendable {
        /// The words name something abnormal: "effusion".
        case finding
        /// The words name a part of the body; a judgement beside them decides: "heart size" + "is normal".
        case anatomy
        /// Abnormal under no label.
        case otherAbnormality
        /// An anatomy whose judgement "normal" is a general statement: "lungs" + "clear". "Abnormal" there labels nothing.
        case normalAnatomy
        /// A statement of normality by itself: "no acute cardiopulmonary process".
        case normality
        /// Looks like a mention and is none: "heart valve", "midclavicular line".
        case nothing
    }
    var kind: Kind
    var labels: [FindingLabel] = []
    /// Labels these words weigh rather than state: a nodular opacity may be a nodule. Of an anatomy: labels that share a clear
    /// judgement, but not a vague one.
    var weighed: [FindingLabel] = []
}

/// The vocabulary of mentions. Longer phrases win over shorter ones inside them.
enum MentionPhrases {
    static let table: [(MentionMeaning, String)] = findings + anatomy + devices + normality + other + nothing

    private static func finding(_ labels: FindingLabel...) -> MentionMeaning { MentionMeaning(kind: .finding, labels: labels) }
    private static func anatomy(_ labels: FindingLabel...) -> MentionMeaning { MentionMeaning(kind: .anatomy, labels: labels) }

    private static let findings: [(MentionMeaning, String)] = [
        (finding(.cardiomegaly), """
            cardiomegaly, megalocardia, cardiac|heart|cardiopericardial|biventricular enlargement, enlargement of the? heart|cardiac|cardiopericardial silhouette?,
            biatrial|atrial|ventricular enlargement, enlarged|enlarging|large heart, enlarged|enlarging|large cardiac|cardiopericardial|heart silhouette|shadow|contour|size?,
            increased|increase cardiac|heart size, increased|increase in|of the? cardiac|heart size, prominence of the? heart|cardiac silhouette?
            """),
        (finding(.enlargedCardiomediastinum), """
            mediastinal|cardiomediastinal widening|enlargement|prominence, widening|enlargement|prominence of the? ~1 mediastin*|cardiomediastin*,
            wide|widened|enlarged|enlarging|prominent superior|upper? mediastinum|mediastinal silhouette|contour*|shadow?
            """),
        // Reports that enlarge "the cardiomediastinal silhouette" mean the heart as much as the mediastinum.
        (finding(.enlargedCardiomediastinum, .cardiomegaly), "enlarged|enlarging cardiomediastinum, enlarged|enlarging|large cardiomediastinal silhouette|contour*|shadow?, cardiomediastinal silhouette|contour enlargement"),
        (finding(.lungOpacity), """
            opacit*, opacif*, opaque, infiltrat*, airspace|alveolar disease*|process*|filling|change*, air space disease*|process*|change*|filling,
            increased|hazy|patchy|vague|subtle|streaky|focal|basilar|bibasilar|linear|asymmetric|ill|airspace|alveolar|interstitial ~1 densit*,
            decreased translucency, haziness, hazy, interstitial|parenchymal ~1 disease|thickening|prominence|infiltrat*|process*|change*|abnormalit*|accentuation,
            prominence of the? ~2 interstitium|interstitial markings?, prominent|increased|coarse|coarsened|thickened|accentuated ~2 interstitial|reticular|bronchovascular|lung|pulmonary|vascular? marking*|pattern|interstitium,
            prominent|increased|coarse|coarsened|accentuated interstitium, reticula*, reticulonodular, ground glass, groundglass, scar, scars, scarring,
            peribronchial thickening|cuffing, bronchial wall|cuff thickening|cuffing, wall thickening, silhouette sign
            """),
        (MentionMeaning(kind: .finding, labels: [.lungOpacity], weighed: [.lungLesion]), """
            nodular|nodule|mass|rounded|round like? opacit*|opacif*|densit*|infiltrat*, nodularity
            """),
        (finding(.lungLesion), """
            mass, masses, masslike, mass lesion*, nodule, nodules, micronodul*, neoplas*, carcinoma*, malignan*, tumor*, metasta*, lump, lumps, cavitary|cavitating|lung|pulmonary|parenchymal|coin lesion*, adenocarcinoma, lung|bronchogenic cancer
            """),
        (finding(.edema), "edema*, heart failure, cardiac failure, chf, cardiac decompensation"),
        // Signs that go before oedema, not oedema itself.
        (MentionMeaning(kind: .finding, weighed: [.edema]), """
            vascular|pulmonary|venous|vasculature|vascularity|perihilar congestion, congestion, congested, congestive change*, fluid|volume overload, overload, cephalization, vascular ~1 redistribution|engorgement|indistinctness,
            kerley b? line*, indistinctness, engorgement, vascular|vascularity|vasculature prominence, interstitial fluid
            """),
        (finding(.consolidation), "consolidat*"),
        (finding(.pneumonia), "pneumonia, pneumonias, pneumonic, bronchopneumonia*, infection*, infectious, superinfection"),
        (finding(.atelectasis), "atelecta*, subsegmental collapse, collapse of the? ~3 lung|lobe|lingula|segment, lobar|lobe|lung|lobes|alveolar collapse, collapsed ~2 lung|lobe|lingula, collapse"),
        (finding(.pneumothorax), "pneumothora*, ptx, ptxs, pnx"),
        (finding(.pleuralEffusion, .pneumothorax), "hydropneumothora*, hemopneumothora*"),
        (finding(.pleuralEffusion), """
            effusion, effusions, pleural ~1 fluid|liquid, fluid in|within|along the? ~2 pleur*|fissure*, fissural fluid, hydrothora*, hemothora*, pleural empyema, subpulmonic effusion|fluid, layering fluid
            """),
        (finding(.pleuralOther), """
            pleural|pleuroparenchymal ~1 thickening|scar|scars|scarring|plaque*|fibrosis|calcification*, pleuro parenchymal|pericardial scar|scars|scarring,
            pleural parenchymal scar|scars|scarring, fibrothorax, fibrosis, apical|biapical cap|caps|capping|pleural? thickening, thickening of the? ~2 pleura*, thickened pleura, pleural reaction
            """),
        (finding(.fracture), "fractur*"),
    ]

    private static let anatomy: [(MentionMeaning, String)] = [
        (anatomy(.cardiomegaly), """
            heart, hearts, cardiac|heart|cardiopericardial silhouette|size|shadow|contour|contours|border|borders|diameter, silhouette of the heart, size of the heart, heart and? cardiac silhouette
            """),
        (anatomy(.enlargedCardiomediastinum), """
            mediastinum, mediastinal|paramediastinal silhouette|contour*|configuration|structure*|border*|outline*|shadow|width|size, cardiomediastinum, superior|upper mediastinum, pericardial silhouette
            """),
        (MentionMeaning(kind: .anatomy, labels: [.enlargedCardiomediastinum], weighed: [.cardiomegaly]), """
            cardiomediastinal silhouette*|contour*|configuration|structure*|outline*|shadow|size|borders?
            """),
        (anatomy(.lungOpacity), "interstitial|lung|reticular marking*|pattern, bronchovascular marking*, interstitium"),
    ]

    private static let devices: [(MentionMeaning, String)] = [
        (finding(.supportDevices), """
            pacer, pacers, pacemaker*, pacing ~1 lead|leads|wire|wires|device, picc, piccs, catheter*, cannula*, tube, tubes, tubing, endotracheal|ett|tracheostomy|nasogastric|enteric|orogastric|feeding|chest|thoracostomy ~1 tube*,
            ett, ngt, ogt, icd, aicd, defibrillator*, central|venous|arterial|subclavian|jugular|ij|picc|femoral|dialysis|access|hemodialysis|infusion ~1 line|lines,
            support|monitoring|life|tubes ~1 device*|apparatus|equipment|lines|hardware, lines and tubes, tubes and lines, line tip, line terminat*|ends, lines,
            port a cath*, portacath*, mediport*, port, infusaport*, chest port, swan ganz, prosthe* ~1 valve*, valve* prosthes*|replacement|replacements, prosthetic, prosthesis, mechanical valve*, aortic|mitral|bioprosthetic ~1 valve|valves replacement|prosthesis,
            hardware, screw*, plate, plates, coil, coils, stent*, device*, drain, drains, pigtail, lead|leads tip|tips|overl*|in|over|terminat*|project*|are|is, intra aortic balloon, balloon pump, iabp, lvad, impella, ecmo, arthroplast*, marker, markers,
            dobhoff, tracheostomy, stimulator, loop recorder, fixation, rod, rods, orthopedic hardware, valve, valves, support apparatus
            """),
    ]

    private static let nothing: [(MentionMeaning, String)] = [
        (MentionMeaning(kind: .nothing), """
            heart valve*, left|right heart border*, heart border*, cardiac border*, heart|cardiac disease, heart rate|attack|sound*|surgery, cardiac surgery|arrest|history|valve*|monitor*|device*, cardiac apex,
            pericardial effusion*|fluid, joint effusion*, pericardial fat, vertebral|compression ~2 collapse, collapse of ~2 vertebral|vertebra|body, collapse of ~1 t*, massive, massively,
            mid clavicular line*, midclavicular line*, fracture line*, fissure line*, mid axillary line*, mediastinal|paratracheal|paraspinal|pleural|horizontal|linear|junction|lucent line*, lines of,
            bone marker*, bone|bony|trabecular|osseous markings, soft tissue edema|mass|swelling, subcutaneous edema, facial edema, muscle mass, bowel ~1 pattern, peripheral edema, end plate*, endplate*, plate like, platelike, plate atelectasis, growth plate*,
            view marker*, side marker*, nipple marker*, lymph node mass, body mass, mass index, mass effect,
            port of, airport, x ray tube, bony|bone|osseous|blastic|lytic|skeletal|sclerotic|rib|spine|spinal|vertebral lesion*|metasta*, metastatic workup,
            history of ~3 pneumonia|chf|infection|cancer|carcinoma|pneumothorax|edema, heart and lungs? sounds
            """),
    ]
}
