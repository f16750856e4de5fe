import ReportModel

/// General statements of health, and abnormalities that CheXpert has no label for. Both matter to No Finding.
extension MentionPhrases {
    /// What "the lungs are clear" denies.
    private static let lungLabels: [FindingLabel] = [.lungOpacity, .lungLesion, .edema, .consolidation, .pneumonia, .atelectasis]
    private static let acuteLabels: [FindingLabel] = [.edema, .consolidation, .pneumonia, .pneumothorax]

    static let normality: [(MentionMeaning, String)] = [
        (MentionMeaning(kind: .normalAnatomy, labels: lungLabels), "lungs, lung fields|parenchyma|zones|volumes?, lung, both lungs, pulmonary parenchyma, parenchyma"),
        (MentionMeaning(kind: .normalAnatomy, labels: [.pleuralEffusion]), "costophrenic ~1 angle*|sulci|sulcus|recess*, cp angle*, pleural|costophrenic recess*|sulci|sulcus"),
        (MentionMeaning(kind: .normalAnatomy, labels: [.pleuralEffusion, .pneumothorax]), "pleura, pleural space*|surface*|cavit*|structure*"),
        (MentionMeaning(kind: .normalAnatomy, labels: [.edema]), "pulmonary vascular*|vasculature|vessel*|circulation, vascular marking*|pattern|structure*|pedicle, vasculature, vascularity"),
        (MentionMeaning(kind: .normalAnatomy, labels: [.fracture]), "ribs|bones|clavicles, bony|osseous|skeletal ~1 structure*|thorax|element*|framework|cage, skeletal structure*|system, osseous structure*"),
        (MentionMeaning(kind: .normalAnatomy), """
            hila, hilum, hilar region*|contour*|structure*|shadow*|vessel*|vascular*, trachea, diaphragm*, hemidiaphragm*, aorta, aortic contour|arch|knob, spine, thoracic spine, soft tissue*, upper abdomen,
            chest, exam, examination, radiograph*, study, film*, xray*, chest x ray*
            """),
        (MentionMeaning(kind: .normality, labels: acuteLabels), """
            no|without radiographic? evidence? of? ~2 acute ~4 abnormalit*|disease*|process*|finding*|pathology|change*|infiltrate?,
            no|without active|acute ~2 disease*|process*, no|without ~1 cardiopulmonary|cardiothoracic|intrathoracic|pulmonary ~1 abnormalit*|disease*|process*|finding*|pathology,
            negative for acute ~3 disease*|process*|abnormalit*|finding*|pathology
            """),
        (MentionMeaning(kind: .normality), """
            no|without ~2 abnormalit*, normal ~2 chest|examination|exam|radiograph*|study|film*|xray*, negative ~1 chest|examination|exam|radiograph*|study, unremarkable ~2 chest|examination|exam|radiograph*|study, normal cxr,
            no abnormal ~2 finding*|findings
            """),
    ]

    static let other: [(MentionMeaning, String)] = [
        (MentionMeaning(kind: .otherAbnormality), """
            scolio*, kypho*, levoscolio*, dextroscolio*, dextrocurvature, levocurvature, curvature of the? ~1 spine, spinal curvature, curvature, endplate change*|irregular*, end plate change*, osteodystroph*, rotoscolio*, levocurve, dextrocurve, lordosis, degenerat*, spondyl*, osteophyt*, spur, spurs, spurring, syndesmophyt*, dish,
            osteopeni*, osteopor*, demineraliz*, osteoarth*, arthriti*, arthro*, arthrosis, disc|disk ~1 disease|narrowing|space?, wedging, wedge ~1 deformit*|compression|fracture?, compression deformit*, deformit*,
            height loss, loss of ~1 height, sclero*, lytic, bone|bony|osseous|sclerotic|lytic|skeletal lesion*|metasta*, bone island*, exosto*, osteotom*, resection*, resected, postsurgical, postoperative, post surgical|operative|op ~1 change*, surgical clip*|change*|material|absence|suture*, clips, clip, suture*, sutures, staple*,
            sternotomy, thoracotomy, lobectom*, pneumonectom*, mastectom*, cholecystectom*, cabg, bypass, wires, wire, cerclage,
            granulomatous infection*|pneumonia, prior|previous|old|remote|healed|chronic ~2 infection*|pneumonia*, tuberculous|mycobacterial|fungal infection*, tuberculosis infection, cavit*,
            calcif*, granulom*, calcinosis, histoplasmosis, sarcoid*, tuberculo*, atheroscl*, arterioscl*, atheroma*, plaque*, tortuo*, ectas*, ectatic, unfolded, uncoiled, uncoiling, aneurysm*, dilat*, dissection,
            emphysem*, hyperinflat*, hyperexpan*, hyperlucen*, hyperaerat*, overinflat*, hyper inflat*|expan*|inflation|expanded, hyperventilat*, hypoinflat*, hypoaerat*, hypoventilat*, hypoexpan*, underinflat*, underexpan*, under inflat*, poor inspirat*, poor ~1 inspiration, shallow inspirat*, low ~2 volume*, lung volumes ~4 low|decreased|diminished|small|reduced, volumes are ~1 low|decreased|diminished|small|reduced, low inspirat*, decreased|diminished|reduced|small ~1 lung? volume*, decreased inspirat*,
            volume loss, loss of volume, copd, obstructive ~1 disease*|change*|lung|pulmonary, chronic obstructive, chronic ~2 disease*|change*|lung, air trapping, barrel, asthma, bronchi*, bronchiti*, bronchiect*, bulla*, bullae, bulla, bullous, bleb*, cyst, cysts, cystic, pneumatocele*, honeycomb*,
            flat* of the? ~2 diaphragm*|hemidiaphragm*, flattened|flat|flattening ~2 diaphragm*|hemidiaphragm*, diaphragm*|hemidiaphragm* flattening|flattened|elevation, elevat* of|right|left ~3 diaphragm*|hemidiaphragm*, elevated ~2 hemidiaphragm*|diaphragm*, eventrat*, elevation,
            hernia*, pneumoperitoneum, pneumomediastinum, subcutaneous|soft emphysema|tissue? gas, free air, free ~2 air, intraperitoneal air, air fluid level*, hiatal, hiatus,
            blunt*, obscuration, obliterat*, fissural ~1 thickening, thickened ~1 fissure*, thickening, adenopathy, lymphadenopathy, lymph node*, aspirat*, pneumonitis, hypertension, cuffing, contusion*, hemorrhag*, hematoma*, bullet*, shrapnel, metallic, foreign bod*, ballistic, radiopaque, radiodens*, bb,
            shift, shifted, deviat*, distention, distended, dilated, gynecomastia, crowding, indistinct, azygos lobe|fissure, cervical rib*, bifid, pectus, dextrocardia, situs, right ~1 arch, dislocat*, subluxat*, separation, lucenc*, abnormal ~3, gallstone*, ileus, obstruct*, abscess*, empyema,
            rotated, prominent ~2 hila|hilum|hilar|aorta|knob|vascul*|pulmonary|artery|arteries, prominence of ~3 hila|hilum|hilar|aorta|pulmonary|artery|arteries, hilar|bihilar|perihilar prominence|fullness|enlargement|enlarged, fullness, enlarged ~2 hila|hilum|hilar|aorta|pulmonary|artery|arteries|node*, bulky|prominent hila*, fat pad*, prominent ~1 fat, fat, nipple shadow*,
            augmentation, implant*, arthropathy, necrosis, avascular, erosi*, defect*, density, densities, thymus, goiter, thyroid, paget*, ankylos*, schmorl*, wall|chest deformit*, collaps*, old|healed|healing|remote|chronic ~2 rib*|injur*|trauma, trauma*, tenting, adhesion*, 
            lesion*, irregular*, embol*, infarct*, pseudonodule, hypoxi*, tent, stimulat*, stranding, esophag* ~1 dilat*, patulous
            """),
    ]
}
